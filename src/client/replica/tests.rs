//! Stories of a replica and a server, frame by frame.

use super::*;
use crate::ot::Attributes;

fn insert(at: u64, text: &str) -> Delta {
    Delta::new().retain(at, Attributes::new()).insert(text, Attributes::new())
}

fn someone() -> ClientId {
    ClientId::generate()
}

fn welcome(content: Option<&str>, version: Version, last_seq: u64) -> Welcome {
    let content = content.map_or(String::new(), |content| format!(r#","content":{content}"#));
    let limits = serde_json::to_string(&Limits::default()).unwrap();
    let text = format!(
        r#"{{"session":"s","doc":"d","kind":"rich-text","history":"h","version":{version},"role":"editor",
            "user":{{"id":"u","name":"n","color":"c"}},"last_seq":{last_seq},"peers":[],"limits":{limits}{content}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn ops(base: Version, ops: &[(ClientId, u64, Delta)]) -> OpsMessage {
    let ops = ops.iter().map(|(client, seq, delta)| CommittedOp {
        client: *client,
        seq: *seq,
        user: "u".to_owned(),
        at: 0,
        delta: raw(delta),
    });
    OpsMessage { base, ops: ops.collect(), hash: None }
}

fn refusal(code: ErrorCode, seq: u64) -> ErrorMessage {
    ErrorMessage { code, message: "no".to_owned(), seq: Some(seq), retry_after_ms: None, fatal: false }
}

fn joined(content: &str, version: Version) -> Replica {
    let mut replica = Replica::new(someone());
    assert!(replica.hello(None).since.is_none());
    assert!(matches!(replica.welcome(&welcome(Some(content), version, 0)), Ok(Event::Loaded)));
    replica
}

#[test]
fn one_operation_is_in_flight_and_later_edits_are_composed_behind_it() {
    let mut replica = joined("[]", 0);
    replica.edit(insert(0, "a")).unwrap();
    let first = replica.next_op().unwrap();
    assert_eq!((first.seq, first.base), (1, 0));
    replica.edit(insert(1, "b")).unwrap();
    replica.edit(insert(2, "c")).unwrap();
    assert!(replica.next_op().is_none());
    let events = replica.ops(&ops(0, &[(replica.client, 1, insert(0, "a"))])).unwrap();
    assert!(matches!(events[..], [Event::Acknowledged { seq: 1, version: 1 }]));
    let second = replica.next_op().unwrap();
    assert_eq!((second.seq, second.base), (2, 1));
    assert_eq!(second.delta.unwrap().get(), insert(1, "bc").to_json());
    assert_eq!(replica.content().text(), "abc");
    replica.ops(&ops(1, &[(replica.client, 2, insert(1, "bc"))])).unwrap();
    assert!(replica.is_synchronised());
}

#[test]
fn others_pass_what_is_pending_and_win_ties() {
    let mut replica = joined("[]", 0);
    replica.edit(insert(0, "mine")).unwrap();
    replica.next_op().unwrap();
    replica.edit(insert(4, "!")).unwrap();
    let events = replica.ops(&ops(0, &[(someone(), 9, insert(0, "theirs "))])).unwrap();
    assert!(matches!(&events[..], [Event::Changed(delta)] if *delta == insert(0, "theirs ")));
    assert_eq!(replica.content().text(), "theirs mine!");
    replica.ops(&ops(1, &[(replica.client, 1, insert(7, "mine"))])).unwrap();
    assert_eq!(replica.next_op().unwrap().delta.unwrap().get(), insert(11, "!").to_json());
}

#[test]
fn after_a_disconnect_it_catches_up_before_it_sends_again() {
    let mut replica = joined("[]", 0);
    replica.edit(insert(0, "a")).unwrap();
    replica.next_op().unwrap();
    assert_eq!(replica.hello(None).since, Some(0));
    replica.welcome(&welcome(None, 1, 0)).unwrap();
    assert!(replica.next_op().is_none(), "the operation may be among the missed ones");
    replica.ops(&ops(0, &[(someone(), 1, insert(0, "b"))])).unwrap();
    let again = replica.next_op().unwrap();
    assert_eq!((again.seq, again.base), (1, 1));
    assert_eq!(again.delta.unwrap().get(), insert(1, "a").to_json());
}

#[test]
fn an_operation_that_was_committed_before_the_disconnect_is_settled_by_the_stream() {
    let mut replica = joined("[]", 0);
    replica.edit(insert(0, "a")).unwrap();
    replica.next_op().unwrap();
    replica.hello(None);
    replica.welcome(&welcome(None, 1, 1)).unwrap();
    replica.ops(&ops(0, &[(replica.client, 1, insert(0, "a"))])).unwrap();
    assert!(replica.is_synchronised() && replica.next_op().is_none());
    assert_eq!(replica.content().text(), "a");
}

#[test]
fn versions_that_are_held_are_skipped_and_missing_ones_noticed() {
    let mut replica = joined(r#"[{"insert":"x"}]"#, 5);
    let both = [(someone(), 1, insert(0, "x")), (someone(), 1, insert(1, "y"))];
    assert_eq!(replica.ops(&ops(4, &both)).unwrap().len(), 1);
    assert_eq!(replica.content().text(), "xy");
    assert!(matches!(replica.ops(&ops(7, &[])), Err(ReplicaError::Gap { held: 6, base: 7 })));
}

#[test]
fn a_refused_operation_is_rolled_back_and_the_buffer_kept() {
    let mut replica = joined(r#"[{"insert":"12"}]"#, 1);
    replica.edit(insert(0, "bad")).unwrap();
    replica.next_op().unwrap();
    replica.edit(insert(5, "!")).unwrap();
    let event = replica.refused(&refusal(ErrorCode::BadOp, 1)).unwrap();
    assert!(matches!(&event, Event::Lost { edits, code: Some(ErrorCode::BadOp), .. } if edits.len() == 1));
    assert_eq!(replica.content().text(), "12!");
    let next = replica.next_op().unwrap();
    assert_eq!((next.seq, next.delta.unwrap().get().to_owned()), (2, insert(2, "!").to_json()));
}

#[test]
fn what_is_not_known_to_be_durable_is_sent_again_under_its_number() {
    let mut replica = joined("[]", 0);
    replica.edit(insert(0, "a")).unwrap();
    replica.next_op().unwrap();
    let event = replica.refused(&refusal(ErrorCode::Unavailable, 1)).unwrap();
    assert!(matches!(event, Event::RetryAfter(1_000)));
    assert!(replica.next_op().is_none());
    replica.resend();
    assert_eq!(replica.next_op().unwrap().seq, 1);
    assert!(matches!(replica.refused(&refusal(ErrorCode::BadOp, 7)), Ok(Event::Nothing)));
}

#[test]
fn a_reset_settles_what_the_content_has_and_hands_out_the_rest() {
    let mut replica = joined("[]", 0);
    replica.edit(insert(0, "a")).unwrap();
    replica.next_op().unwrap();
    replica.edit(insert(1, "b")).unwrap();
    let event = replica.welcome(&welcome(Some(r#"[{"insert":"a"}]"#), 1, 1)).unwrap();
    assert!(matches!(&event, Event::Lost { edits, code: None, .. } if edits[..] == [insert(1, "b")]));
    assert_eq!(replica.content().text(), "a");
    assert!(replica.is_synchronised());
}

#[test]
fn an_edit_that_does_not_fit_changes_nothing() {
    let mut replica = joined("[]", 0);
    assert!(matches!(replica.edit(insert(3, "a")), Err(ReplicaError::Misfit(_))));
    let large = insert(0, &"x".repeat(600 << 10));
    assert!(matches!(replica.edit(large), Err(ReplicaError::TooLarge)));
    assert!(replica.is_synchronised() && replica.content().is_empty());
}
