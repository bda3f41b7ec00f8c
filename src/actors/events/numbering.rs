//! From notes to events, and from events to deliveries.

use std::collections::HashMap;

use crate::ids::{DocumentId, Millis, Version};
use crate::storage::events::{Delivery, Event, Kind, Logged, Noted, Webhook};

/// Makes events of notes, in their order, with the numbers after `last`. What was noted of the text of one document is one event, from the
/// first version to the last.
pub(super) fn events(notes: Vec<Noted>, last: u64) -> Vec<Logged> {
    let mut events: Vec<Logged> = Vec::with_capacity(notes.len());
    let mut changed: HashMap<DocumentId, (usize, Version)> = HashMap::new();
    for note in notes {
        let (mut data, mut n) = (note.data, last + events.len() as u64 + 1);
        if let Some((since, version)) = note.versions {
            let earlier = changed.get(&note.doc).copied();
            let (place, since) =
                earlier.map_or((events.len(), since), |(place, first)| (place, first.min(since)));
            changed.insert(note.doc.clone(), (place, since));
            data = format!(r#"{{"version":{version},"since":{since}}}"#);
            n = last + place as u64 + 1;
        }
        let event = Event { n, at: note.at, kind: note.kind, doc: Some(note.doc), by: note.by, data };
        let logged = Logged { event, owner: note.owner };
        match events.get_mut((n - last - 1) as usize) {
            Some(earlier) => *earlier = logged,
            None => events.push(logged),
        }
    }
    events
}

/// Makes a delivery of each event for each webhook that wants it.
pub(super) fn deliveries(events: &[Logged], hooks: &[Webhook], now: Millis) -> Vec<Delivery> {
    let wants = |hook: &Webhook, logged: &Logged| {
        let owns = hook.owner.as_ref().is_none_or(|owner| *owner == logged.owner);
        owns && hook.enabled && logged.event.kind != Kind::Ping && hook.kinds.contains(&logged.event.kind)
    };
    let each = events.iter().flat_map(|logged| hooks.iter().map(move |hook| (logged, hook)));
    each.filter(|(logged, hook)| wants(hook, logged))
        .map(|(logged, hook)| Delivery::new(&hook.id, logged.event.clone(), now))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    fn note(id: i64, kind: Kind, doc: &str, versions: Option<(Version, Version)>) -> Noted {
        Noted {
            id,
            at: id * 10,
            kind,
            doc: doc.parse().unwrap(),
            owner: UserId(format!("owner of {doc}").into()),
            by: None,
            data: "{}".to_owned(),
            versions,
        }
    }

    fn told(events: &[Logged]) -> Vec<(u64, Millis, Kind, &str, &str)> {
        let one = |logged: &'_ Logged| -> (u64, Millis, Kind) {
            (logged.event.n, logged.event.at, logged.event.kind)
        };
        events
            .iter()
            .map(|logged| {
                let (n, at, kind) = one(logged);
                (n, at, kind, logged.event.doc.as_ref().unwrap().as_str(), logged.event.data.as_str())
            })
            .collect()
    }

    #[test]
    fn what_was_noted_of_a_text_becomes_one_event() {
        let notes = vec![
            note(1, Kind::Created, "a", None),
            note(2, Kind::Changed, "a", Some((0, 3))),
            note(3, Kind::Changed, "b", Some((7, 8))),
            note(4, Kind::Changed, "a", Some((3, 9))),
            note(5, Kind::Shared, "a", None),
        ];
        let events = events(notes, 40);
        assert_eq!(
            told(&events),
            [
                (41, 10, Kind::Created, "a", "{}"),
                (42, 40, Kind::Changed, "a", r#"{"version":9,"since":0}"#),
                (43, 30, Kind::Changed, "b", r#"{"version":8,"since":7}"#),
                (44, 50, Kind::Shared, "a", "{}"),
            ]
        );
    }

    #[test]
    fn a_webhook_is_told_of_what_it_wants_in_its_owners_documents() {
        let hook = |id: &str, owner: Option<&str>, kinds: &[Kind], enabled| Webhook {
            id: id.to_owned(),
            owner: owner.map(|owner| UserId(owner.into())),
            made_by: UserId("x".into()),
            url: String::new(),
            kinds: kinds.to_vec(),
            enabled,
            reason: None,
            failing_since: None,
            made_at: 0,
        };
        let hooks = [
            hook("of a", Some("owner of a"), &Kind::ALL, true),
            hook("of all", None, &[Kind::Trashed], true),
            hook("of another", Some("owner of c"), &Kind::ALL, true),
            hook("off", None, &Kind::ALL, false),
        ];
        let events = events(vec![note(1, Kind::Created, "a", None), note(2, Kind::Trashed, "b", None)], 0);
        let deliveries = deliveries(&events, &hooks, 5);
        let told: Vec<_> = deliveries.iter().map(|one| (one.hook.as_str(), one.event.n)).collect();
        assert_eq!(told, [("of a", 1), ("of all", 2)]);
    }
}
