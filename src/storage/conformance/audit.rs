use super::fixture::Fixture;
use crate::ids::Millis;
use crate::storage::audit::{AuditQuery, AuditRecord, CHECKPOINT, Entry, Head, Outcome, Walk, verify_chain};

fn entry(action: &str, at: Millis) -> Entry {
    Entry {
        at,
        actor: "ada".to_owned(),
        address: None,
        action: action.to_owned(),
        subject: "doc:a".to_owned(),
        outcome: Outcome::Done,
        details: serde_json::json!({ "text": "ü\0\"" }),
    }
}

fn numbers(records: &[AuditRecord]) -> Vec<(&str, u64)> {
    records.iter().map(|record| (&*record.chain, record.n)).collect()
}

async fn is_sound(f: &Fixture, chain: &str) {
    for head in f.audit().audit_heads().await.unwrap().iter().filter(|head| head.chain == chain) {
        assert_eq!(verify_chain(f.audit(), head, &[]).await.unwrap().as_ref(), Ok(head));
    }
}

pub(super) async fn records_are_read_as_they_were_added_and_form_a_chain(f: Fixture) {
    let refused = Entry {
        address: Some("2001:db8::1".to_owned()),
        outcome: Outcome::Refused,
        ..entry("doc.purge", -7)
    };
    let first = f.audit().append_audit("main", &[entry("doc.open", 5), refused.clone()]).await.unwrap();
    let other = f.audit().append_audit("other", &[entry("doc.open", 6)]).await.unwrap();
    let last = f.audit().append_audit("main", &[entry("doc.read", 7)]).await.unwrap();
    assert_eq!((first.n, other.n, last.n), (2, 1, 3));
    assert_eq!(f.audit().audit_heads().await.unwrap(), [last.clone(), other]);
    let read = f.audit().read_audit("main", 0, 9).await.unwrap();
    let mut expected = Head::new("main");
    let entries = [entry("doc.open", 5), refused, entry("doc.read", 7)];
    assert_eq!(read, entries.map(|entry| expected.add(&entry)));
    assert_eq!(expected, last);
    assert_eq!(f.audit().read_audit("main", 1, 1).await.unwrap(), read[1..2]);
    assert_eq!(f.audit().append_audit("main", &[]).await.unwrap(), last);
    is_sound(&f, "main").await;
}

pub(super) async fn those_who_add_to_one_chain_at_once_wait_for_each_other(f: Fixture) {
    let adds = (0..8).map(async |n| {
        let entries = [entry("doc.open", n), entry("doc.read", n)];
        f.audit().append_audit("main", &entries).await.unwrap()
    });
    let ends = futures_util::future::join_all(adds).await;
    let mut ends: Vec<_> = ends.into_iter().map(|head| head.n).collect();
    ends.sort_unstable();
    assert_eq!(ends, [2, 4, 6, 8, 10, 12, 14, 16]);
    is_sound(&f, "main").await;
}

pub(super) async fn records_are_found_newest_first_by_who_what_and_when(f: Fixture) {
    let bob = Entry { actor: "bob".to_owned(), subject: "doc:b".to_owned(), ..entry("doc.open", 3) };
    let main = [entry("doc.open", 1), entry("doc.read", 2), bob, entry("auth.login", 4)];
    f.audit().append_audit("main", &main).await.unwrap();
    f.audit().append_audit("other", &[entry("doc.open", 2)]).await.unwrap();
    let find = async |query: AuditQuery| {
        let query = AuditQuery { limit: if query.limit == 0 { 9 } else { query.limit }, ..query };
        let found = f.audit().find_audit(&query).await.unwrap();
        numbers(&found).into_iter().map(|(chain, n)| format!("{chain} {n}")).collect::<Vec<_>>()
    };
    let all = ["main 4", "main 3", "other 1", "main 2", "main 1"];
    assert_eq!(find(AuditQuery::default()).await, all);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(find(AuditQuery { actor: text("bob"), ..Default::default() }).await, ["main 3"]);
    assert_eq!(find(AuditQuery { subject: text("doc:b"), ..Default::default() }).await, ["main 3"]);
    let opened =
        find(AuditQuery { action: text("doc.open"), actor: text("ada"), ..Default::default() }).await;
    assert_eq!(opened, ["other 1", "main 1"]);
    assert_eq!(find(AuditQuery { action: text("doc."), ..Default::default() }).await, all[1..]);
    assert_eq!(find(AuditQuery { action: text("doc"), ..Default::default() }).await, [""; 0]);
    let between = AuditQuery { from: Some(2), to: Some(4), ..Default::default() };
    assert_eq!(find(between).await, all[1..4]);
    assert_eq!(find(AuditQuery { limit: 2, ..Default::default() }).await, all[..2]);
    let after = Some((2, "other".to_owned(), 1));
    assert_eq!(find(AuditQuery { after, ..Default::default() }).await, all[3..]);
}

pub(super) async fn old_records_go_and_a_checkpoint_stands_for_them(f: Fixture) {
    let entries: Vec<_> = (1..=10).map(|at| entry("doc.open", at)).collect();
    f.audit().append_audit("main", &entries).await.unwrap();
    let trim = async |before, limit| f.audit().trim_audit("main", before, 100, limit).await.unwrap();
    assert_eq!(trim(1, 99).await, 0);
    assert_eq!(trim(5, 3).await, 3);
    assert_eq!(trim(5, 3).await, 1);
    assert_eq!(trim(5, 3).await, 0);
    let left = f.audit().read_audit("main", 0, 99).await.unwrap();
    assert_eq!(left.iter().map(|record| record.n).collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10, 11, 12]);
    assert!(left[6..].iter().all(|record| record.action == CHECKPOINT));
    is_sound(&f, "main").await;
    // One record more is gone than the checkpoint says.
    let mut walk = Walk::new("main", &[]);
    left[1..].iter().try_for_each(|record| walk.take(record)).unwrap();
    let head = f.audit().audit_heads().await.unwrap().pop().unwrap();
    assert_eq!(walk.end(&head).unwrap_err().n, 5);
    // Of a chain that is old as a whole the end stays.
    assert_eq!(trim(1_000, 99).await, 7);
    let left = f.audit().read_audit("main", 0, 99).await.unwrap();
    assert_eq!(left.iter().map(|record| record.n).collect::<Vec<_>>(), [12, 13]);
    is_sound(&f, "main").await;
    assert_eq!(f.audit().trim_audit("none", 1_000, 100, 9).await.unwrap(), 0);
}
