//! Events as they are told.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::ids::{DocumentId, Millis, UserId};
use crate::storage::events::Event;

/// See docs/webhooks.md.
#[derive(Serialize)]
struct Told<'a> {
    /// A decimal number as text: larger ones are later.
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<&'a DocumentId>,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a UserId>,
    data: Box<RawValue>,
}

/// Writes an event as JSON, in one line.
pub(super) fn json(event: &Event) -> String {
    let empty = || RawValue::from_string("{}".to_owned());
    let data = RawValue::from_string(event.data.clone()).or_else(|_| empty()).unwrap_or_default();
    let told = Told {
        id: event.n.to_string(),
        kind: event.kind.as_str(),
        doc: event.doc.as_ref(),
        at: event.at,
        by: event.by.as_ref(),
        data,
    };
    serde_json::to_string(&told).unwrap_or_default()
}

/// Writes an event as a stream of events has it (HTML, section 9.2).
pub(super) fn frame(event: &Event) -> String {
    format!("id: {}\nevent: {}\ndata: {}\n\n", event.n, event.kind, json(event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::events::Kind;

    #[test]
    fn an_event_is_told_in_one_line() {
        let event = Event {
            n: 12,
            at: 7,
            kind: Kind::Changed,
            doc: Some("minutes".parse().unwrap()),
            by: Some(UserId("a\"b\n".into())),
            data: r#"{"version":3,"since":1}"#.to_owned(),
        };
        let json = r#"{"id":"12","type":"document.changed","doc":"minutes","at":7,"by":"a\"b\n","data":{"version":3,"since":1}}"#;
        assert_eq!(frame(&event), format!("id: 12\nevent: document.changed\ndata: {json}\n\n"));
        let ping = Event { n: 0, kind: Kind::Ping, doc: None, by: None, data: "{}".to_owned(), ..event };
        assert_eq!(super::json(&ping), r#"{"id":"0","type":"ping","at":7,"data":{}}"#);
    }
}
