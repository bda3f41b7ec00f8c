//! The state machine alone: what is shown, what is forgotten, what is refused.

use std::time::Instant;

use super::*;
use crate::config::Limits;
use crate::ot::{Attributes, Delta};
use crate::storage::MOST_DELTA_BYTES;

const NOW: Millis = 1_000;

fn client(n: u128) -> ClientId {
    ClientId(uuid::Uuid::from_u128(n))
}

fn user(client: ClientId) -> UserId {
    UserId::guest(client)
}

fn state_with(settings: DocumentSettings) -> DocumentState {
    let from = Rehydrated {
        id: "doc".parse().unwrap(),
        history: HistoryId::generate(),
        owner: UserId("owner".into()),
        version: 0,
        at: 0,
        content: Document::new(),
        tail: Vec::new(),
        snapshot_version: 0,
        snapshot_bytes: 0,
        unsnapshotted_bytes: 0,
        preview: String::new(),
        archived: false,
        link: Some(crate::protocol::Role::Editor),
        access_changes: 0,
        deleted: false,
        poison: vec![(client(9), 1)],
    };
    let mut state = DocumentState::new(from, settings);
    for n in [1, 2, 9] {
        state.clients.load(client(n), &user(client(n)), None).session = Some(SessionId(n as u64));
    }
    state
}

fn state() -> DocumentState {
    state_with(DocumentSettings::default())
}

fn submission(n: u128, seq: u64, base: Version, delta: Delta) -> Submission {
    Submission {
        session: Some(SessionId(n as u64)),
        client: client(n),
        seq,
        user: user(client(n)),
        base,
        delta,
        received: Instant::now(),
        rebased: None,
    }
}

fn insert(at: u64, text: &str) -> Delta {
    Delta::new().retain(at, Attributes::default()).insert(text, Attributes::default())
}

/// Submits, appends and commits.
fn commit(state: &mut DocumentState, submission: Submission) {
    assert!(matches!(state.submit(submission, NOW), Submitted::Accepted(_)));
    let count = state.take_append().unwrap().len();
    state.committed(count);
}

fn code(submitted: &Submitted) -> Option<ErrorCode> {
    match submitted {
        Submitted::Refused(refusal) => Some(refusal.code),
        _ => None,
    }
}

#[test]
fn the_worked_example_ends_as_hello_xy() {
    let mut state = state();
    commit(&mut state, submission(1, 1, 0, insert(0, "Hello")));
    commit(&mut state, submission(1, 2, 1, insert(5, "X")));
    commit(&mut state, submission(2, 1, 1, insert(5, "Y")));
    assert_eq!(state.content().text(), "HelloXY");
    assert_eq!(state.version(), 3);
}

#[test]
fn what_is_not_durable_is_shown_to_nobody() {
    let mut state = state();
    assert!(matches!(state.submit(submission(1, 1, 0, insert(0, "a")), NOW), Submitted::Accepted(1)));
    assert_eq!((state.version(), state.content().text().as_str()), (0, ""));
    assert_eq!(code(&state.submit(submission(2, 1, 1, insert(1, "b")), NOW)), Some(ErrorCode::FutureBase));
    assert_eq!(state.take_append().unwrap().len(), 1);
    assert!(state.take_append().is_none(), "one append at a time");
    assert_eq!(state.committed(1).len(), 1);
    assert_eq!((state.version(), state.content().text().as_str()), (1, "a"));
}

/// Characters that are six bytes each in JSON: a document of 11 MB may be more than a backup takes of one operation.
#[test]
fn an_operation_that_no_backup_could_carry_is_refused_and_changes_nothing() {
    let settings = DocumentSettings::default();
    let limits = Limits { document_bytes: 20_000_000, ..settings.limits };
    let mut state = state_with(DocumentSettings { limits, ..settings });
    let text = "\u{1}".repeat(MOST_DELTA_BYTES / 6);
    assert_eq!(code(&state.submit(submission(1, 1, 0, insert(0, &text)), NOW)), Some(ErrorCode::TooLarge));
    assert_eq!((state.speculative(), state.take_append()), (0, None));
    commit(&mut state, submission(1, 2, 0, insert(0, &text[..text.len() - 10])));
    assert_eq!(state.content().length(), text.len() as u64 - 10);
}

#[test]
fn going_back_forgets_everything_that_was_not_durable_and_lets_it_come_again() {
    let mut state = state();
    commit(&mut state, submission(1, 1, 0, insert(0, "a")));
    state.submit(submission(1, 2, 1, insert(1, "b")), NOW);
    state.take_append();
    state.submit(submission(2, 1, 1, insert(1, "c")), NOW);
    let forgotten: Vec<_> = state.forget_pending().iter().map(|f| (f.client, f.seq, f.session)).collect();
    assert_eq!(forgotten, [(client(1), 2, Some(SessionId(1))), (client(2), 1, Some(SessionId(2)))]);
    assert_eq!((state.version(), state.content().text().as_str(), state.is_settled()), (1, "a", true));
    commit(&mut state, submission(1, 2, 1, insert(1, "b")));
    assert_eq!(state.content().text(), "ab");
}

#[test]
fn a_client_that_storage_is_asked_about_is_not_forgotten_with_its_operations() {
    let mut state = state();
    let (asked, other) = (client(10), client(11));
    for id in [asked, other] {
        state.clients.load(id, &user(id), None);
        let submission = Submission { session: None, ..submission(id.0.as_u128(), 6, 0, insert(0, "x")) };
        assert!(matches!(state.submit(submission, NOW), Submitted::Accepted(_)));
    }
    state.clients.ask(asked);
    state.take_append();
    state.forget_pending();
    assert!(state.clients.knows(asked), "the answer is on its way, and may be older");
    assert!(!state.clients.knows(other));
    state.clients.answered(asked);
    state.clients.unload_if_idle(asked);
    assert!(!state.clients.knows(asked));
}

#[test]
fn an_operation_is_applied_once_however_often_it_is_sent() {
    let mut state = state();
    assert!(matches!(state.submit(submission(1, 5, 0, insert(0, "a")), NOW), Submitted::Accepted(1)));
    assert!(matches!(state.submit(submission(1, 5, 0, insert(0, "a")), NOW), Submitted::InFlight));
    assert_eq!(code(&state.submit(submission(1, 4, 0, insert(0, "a")), NOW)), Some(ErrorCode::BadOp));
    state.take_append();
    state.committed(1);
    assert!(matches!(state.submit(submission(1, 5, 0, insert(0, "z")), NOW), Submitted::Committed(1)));
    assert!(matches!(state.submit(submission(1, 4, 0, insert(0, "z")), NOW), Submitted::AskLog));
    assert_eq!(state.content().text(), "a");
}

#[test]
fn a_base_below_the_own_last_operation_is_stale_also_while_that_is_under_way() {
    let mut state = state();
    state.submit(submission(1, 1, 0, insert(0, "a")), NOW);
    assert_eq!(code(&state.submit(submission(1, 2, 0, insert(1, "b")), NOW)), Some(ErrorCode::StaleBase));
    state.take_append();
    state.committed(1);
    assert_eq!(code(&state.submit(submission(1, 2, 0, insert(1, "b")), NOW)), Some(ErrorCode::StaleBase));
    assert!(matches!(state.submit(submission(1, 2, 1, insert(1, "b")), NOW), Submitted::Accepted(2)));
}

#[test]
fn an_operation_that_transforming_empties_is_a_version_like_any_other() {
    let mut state = state();
    commit(&mut state, submission(1, 1, 0, insert(0, "abc")));
    commit(&mut state, submission(1, 2, 1, Delta::new().delete(3)));
    commit(&mut state, submission(2, 1, 1, Delta::new().delete(2)));
    assert_eq!(state.version(), 3);
    let last = state.tail().since(2).unwrap().next().unwrap();
    assert!(last.delta.is_empty() && last.member().ends_with(b"\"delta\":[]}"));
}

#[test]
fn bad_operations_change_nothing() {
    let mut state = state();
    commit(&mut state, submission(1, 1, 0, insert(0, "a😀")));
    for bad in [insert(4, "x"), insert(2, "x"), Delta::new().delete(9)] {
        assert_eq!(code(&state.submit(submission(2, 1, 1, bad), NOW)), Some(ErrorCode::BadOp));
    }
    assert_eq!(
        code(&state.submit(submission(9, 1, 1, insert(0, "x")), NOW)),
        Some(ErrorCode::BadOp),
        "poison"
    );
    state.archived = true;
    assert_eq!(code(&state.submit(submission(2, 1, 1, insert(0, "x")), NOW)), Some(ErrorCode::ReadOnly));
    assert!(state.is_settled());
    assert_eq!(state.content().text(), "a😀");
}

#[test]
fn a_document_over_its_limit_may_only_shrink() {
    let mut settings = DocumentSettings::default();
    settings.limits.document_bytes = 3;
    let mut state = state_with(settings);
    commit(&mut state, submission(1, 1, 0, insert(0, "abc")));
    assert_eq!(code(&state.submit(submission(1, 2, 1, insert(0, "d")), NOW)), Some(ErrorCode::TooLarge));
    commit(&mut state, submission(1, 2, 1, Delta::new().delete(1)));
    assert_eq!(state.content().text(), "bc");
}

#[test]
fn the_speculative_part_and_the_tail_are_bounded() {
    let settings = DocumentSettings { speculative_ops: 3, tail_ops: 2, ..DocumentSettings::default() };
    let mut state = state_with(settings);
    for n in 10..13 {
        state.clients.load(client(n), &user(client(n)), None);
        assert!(matches!(state.submit(submission(n, 1, 0, insert(0, "x")), NOW), Submitted::Accepted(_)));
    }
    assert_eq!(code(&state.submit(submission(1, 1, 0, insert(0, "x")), NOW)), Some(ErrorCode::Unavailable));
    state.take_append();
    state.committed(3);
    assert_eq!((state.tail().base(), state.tail().head()), (1, 3));
    assert!(matches!(state.submit(submission(1, 1, 0, insert(0, "x")), NOW), Submitted::NeedsHistory(_, 3)));
    assert!(!state.clients.knows(client(10)), "a client without session is left to storage");
}

/// Commits `count` inserts by the first client.
fn commit_inserts(state: &mut DocumentState, count: u64) {
    for _ in 0..count {
        let head = state.version();
        commit(state, submission(1, head + 1, head, insert(0, "x")));
    }
}

#[test]
fn a_base_is_stale_beyond_the_lag_however_little_there_is_to_do_and_not_within_however_much() {
    let mut settings = DocumentSettings::default();
    settings.limits.base_lag = 600;
    let mut state = state_with(settings);
    commit_inserts(&mut state, 601);
    assert_eq!(code(&state.submit(submission(2, 1, 0, insert(0, "y")), NOW)), Some(ErrorCode::StaleBase));
    let Submitted::NeedsHistory(given, 601) = state.submit(submission(2, 1, 1, many_parts()), NOW) else {
        panic!("1,000 parts over 600 versions is not for the actor");
    };
    assert_eq!((given.base, given.delta), (1, many_parts()));
}

/// An edit of 1,000 parts.
fn many_parts() -> Delta {
    let attributes = |n: u64| format!(r#"{{"insert":"z","attributes":{{"n":{n}}}}}"#);
    let parts: Vec<_> = (0..1_000).map(attributes).collect();
    Delta::parse(&format!("[{}]", parts.join(",")), &Default::default()).unwrap()
}

#[test]
fn an_operation_is_given_away_only_as_often_as_there_is_less_to_do() {
    let mut state = state();
    commit_inserts(&mut state, 600);
    let given_away = |state: &mut DocumentState, submission| match state.submit(submission, NOW) {
        Submitted::NeedsHistory(mut given, upto) => {
            given.base = upto;
            *given
        }
        other => panic!("{other:?}"),
    };
    let again = given_away(&mut state, submission(2, 1, 0, many_parts()));
    // So much was committed meanwhile that it is too much again, but it was less.
    commit_inserts(&mut state, 550);
    let again = given_away(&mut state, again);
    assert_eq!(again.base, 1_150);
    let mut faster = state_with(DocumentSettings::default());
    commit_inserts(&mut faster, 1_150 + 550);
    assert_eq!(code(&faster.submit(again.clone(), NOW)), Some(ErrorCode::Unavailable));
    // What is little is done here.
    commit_inserts(&mut state, 10);
    assert!(matches!(state.submit(again, NOW), Submitted::Accepted(1_161)));
}

#[test]
fn the_tail_is_bounded_by_bytes_too() {
    let member = |state: &DocumentState| state.tail().since(0).unwrap().next().unwrap().member().len();
    let mut one = state();
    commit(&mut one, submission(1, 1, 0, insert(0, &"x".repeat(1_000))));
    // Room for three of them and a bit; a single one that is larger than all of it is not kept either.
    let settings = DocumentSettings { tail_bytes: member(&one) * 3 + 50, ..DocumentSettings::default() };
    let mut state = state_with(settings);
    for seq in 1..=10 {
        commit(&mut state, submission(1, seq, seq - 1, insert(0, &"x".repeat(1_000))));
        assert_eq!(state.tail().base(), seq.saturating_sub(3));
    }
    assert!(matches!(state.submit(submission(2, 1, 6, insert(0, "y")), NOW), Submitted::NeedsHistory(..)));
    assert!(matches!(state.submit(submission(2, 1, 7, insert(0, "y")), NOW), Submitted::Accepted(11)));
    state.take_append();
    state.committed(1);
    commit(&mut state, submission(1, 11, 11, insert(0, &"x".repeat(5_000))));
    assert_eq!((state.tail().base(), state.tail().head()), (12, 12));
}

#[test]
fn time_never_falls_within_a_document() {
    let mut state = state();
    commit(&mut state, submission(1, 1, 0, insert(0, "a")));
    state.submit(submission(1, 2, 1, insert(0, "b")), NOW - 500);
    assert_eq!(state.take_append().unwrap()[0].at, NOW);
}

#[test]
fn a_snapshot_is_due_every_hundred_operations_if_enough_bytes_came() {
    let mut state = state();
    let mut seqs = 1..;
    let mut write = |state: &mut DocumentState| {
        let seq = seqs.next().unwrap();
        commit(state, submission(1, seq, seq - 1, insert(0, "x")));
    };
    while !state.snapshot_is_due() {
        write(&mut state);
    }
    let first = state.version();
    assert!(first <= 100);
    state.snapshot_begun();
    assert!(!state.snapshot_is_due());
    state.snapshot_failed(0);
    assert!(state.snapshot_version() == 0);
    assert!(state.snapshot_is_due(), "what was typed is still in none");
    state.snapshot_begun();
    while !state.snapshot_is_due() {
        write(&mut state);
    }
    assert_eq!(state.version(), first + 100);
    // A large document's snapshot waits until a fair part of its size has been typed.
    state.snapshot_begun();
    state.snapshot_written(1 << 20);
    (0..110).for_each(|_| write(&mut state));
    assert!(!state.snapshot_is_due());
}

#[test]
fn the_hash_is_due_every_hundred_versions() {
    let mut state = state();
    for seq in 1..=100 {
        assert_eq!(state.due_hash(), None);
        commit(&mut state, submission(1, seq, seq - 1, insert(0, "x")));
    }
    assert_eq!(state.due_hash(), Some(xxhash_rust::xxh3::xxh3_64("x".repeat(100).as_bytes())));
    assert_eq!(state.due_hash(), None);
}
