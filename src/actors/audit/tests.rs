use std::sync::Arc;

use async_trait::async_trait;

use super::*;
use crate::storage::StoreError;
use crate::storage::audit::{AuditLog, AuditQuery, AuditRecord};

/// Keeps entries in memory, while it is there.
#[derive(Default)]
struct Memory {
    entries: Mutex<Vec<Entry>>,
    away: AtomicBool,
}

#[async_trait]
impl AuditLog for Memory {
    async fn append_audit(&self, chain: &str, entries: &[Entry]) -> Result<Head, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("it is away"));
        }
        self.entries.lock().extend(entries.iter().cloned());
        Ok(Head::new(chain))
    }

    async fn read_audit(&self, _: &str, _: u64, _: usize) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn find_audit(&self, _: &AuditQuery) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn audit_heads(&self) -> Result<Vec<Head>, StoreError> {
        Ok(Vec::new())
    }

    async fn trim_audit(&self, _: &str, _: Millis, _: Millis, _: u32) -> Result<u64, StoreError> {
        Ok(0)
    }
}

fn start(access: bool) -> (Arc<Memory>, Audit) {
    let memory = Arc::new(Memory::default());
    let policy = AuditPolicy { chain: "main".to_owned(), access, days: 1 };
    (memory.clone(), Audit::start(memory, policy, Clock::system()))
}

fn entry(action: &str, at: Millis) -> Entry {
    Entry {
        at,
        actor: "ada".to_owned(),
        address: None,
        action: action.to_owned(),
        subject: "doc:a".to_owned(),
        outcome: Outcome::Done,
        details: json!({}),
    }
}

fn actions(memory: &Memory) -> Vec<String> {
    memory.entries.lock().iter().map(|entry| entry.action.clone()).collect()
}

#[actix_rt::test]
async fn an_act_is_answered_when_it_is_recorded_and_takes_along_what_waits() {
    let (memory, audit) = start(true);
    audit.record(entry("doc.create", 1));
    audit.permit().unwrap().record(entry("doc.purge", 2)).await.unwrap();
    assert_eq!(actions(&memory), ["doc.create", "doc.purge"]);
}

#[actix_rt::test]
async fn what_waits_is_written_at_the_end() {
    let (memory, audit) = start(true);
    audit.record(entry("doc.create", 1));
    audit.close().await;
    assert_eq!(actions(&memory), ["doc.create"]);
}

#[actix_rt::test]
async fn the_same_access_is_one_record_a_minute_and_none_if_access_is_not_recorded() {
    let (memory, audit) = start(true);
    for at in [1, 2, SAME_WITHIN, SAME_WITHIN + 2] {
        audit.access(entry("doc.read", at));
    }
    audit.access(Entry { actor: "bob".to_owned(), ..entry("doc.read", 3) });
    audit.close().await;
    assert_eq!(
        memory.entries.lock().iter().map(|entry| entry.at).collect::<Vec<_>>(),
        [1, SAME_WITHIN + 2, 3]
    );
    let (memory, audit) = start(false);
    audit.access(entry("doc.read", 1));
    audit.close().await;
    assert!(actions(&memory).is_empty());
}

#[actix_rt::test]
async fn while_it_cannot_be_written_acts_are_refused_and_a_gap_says_what_was_lost() {
    let (memory, audit) = start(true);
    memory.away.store(true, Ordering::SeqCst);
    audit.record(entry("doc.create", 1));
    let refused = tokio::time::timeout(Duration::from_secs(30), async {
        while audit.permit().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    refused.await.expect("acts are refused");
    for n in 0..QUEUE + 5 {
        audit.record(entry("doc.create", n as Millis));
    }
    memory.away.store(false, Ordering::SeqCst);
    let taken = tokio::time::timeout(Duration::from_secs(30), async {
        while !actions(&memory).iter().any(|action| action == "audit.gap") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    taken.await.expect("it goes on");
    let gaps: Vec<_> =
        memory.entries.lock().iter().filter(|entry| entry.action == "audit.gap").cloned().collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].details, json!({ "lost": 5 }));
    audit.permit().unwrap().record(entry("doc.purge", 2)).await.unwrap();
}
