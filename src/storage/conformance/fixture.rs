//! A store and an owner of all its shards, who keeps epochs, heads and positions as a journal would.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::ids::{ClientId, DocumentId, Epoch, HistoryId, Millis, SHARDS, UserId, Version};
use crate::protocol::Role;
use crate::storage::accounts::Accounts;
use crate::storage::annotations::Annotations;
use crate::storage::audit::AuditLog;
use crate::storage::events::{Events, Webhooks};
use crate::storage::permissions::Permissions;
use crate::storage::projections::Projections;
use crate::storage::{AppendEntry, AppendError, LoggedOp, NewDocument, Store, StoreError};

/// A store under test.
#[async_trait::async_trait(?Send)]
pub(super) trait Backend: Send + Sync {
    fn store(&self) -> &dyn Store;

    fn projections(&self) -> &dyn Projections {
        panic!("this backend has none")
    }

    fn permissions(&self) -> &dyn Permissions {
        panic!("this backend has none")
    }

    fn annotations(&self) -> &dyn Annotations {
        panic!("this backend has none")
    }

    fn accounts(&self) -> &dyn Accounts {
        panic!("this backend has none")
    }

    fn audit(&self) -> &dyn AuditLog {
        panic!("this backend has none")
    }

    fn events(&self) -> &dyn Events {
        panic!("this backend has none")
    }

    fn webhooks(&self) -> &dyn Webhooks {
        panic!("this backend has none")
    }

    /// Brings the backend into the state that its reads are to be tested in.
    async fn after_append(&mut self);

    /// Has all that was appended where it stays.
    async fn settle(&self) {}
}

pub(super) const NODE: &str = "node-1";

pub(super) struct Fixture {
    backend: Box<dyn Backend>,
    pub(super) epochs: Box<[Epoch; SHARDS]>,
    positions: [u64; SHARDS],
    heads: HashMap<DocumentId, Version>,
}

impl Fixture {
    pub(super) async fn new(backend: Box<dyn Backend>) -> Self {
        let epochs = backend.store().claim_all(NODE).await.unwrap();
        Self { backend, epochs, positions: [0; SHARDS], heads: HashMap::new() }
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.backend.store()
    }

    pub(super) fn projections(&self) -> &dyn Projections {
        self.backend.projections()
    }

    pub(super) fn permissions(&self) -> &dyn Permissions {
        self.backend.permissions()
    }

    pub(super) fn annotations(&self) -> &dyn Annotations {
        self.backend.annotations()
    }

    pub(super) fn accounts(&self) -> &dyn Accounts {
        self.backend.accounts()
    }

    pub(super) fn audit(&self) -> &dyn AuditLog {
        self.backend.audit()
    }

    pub(super) fn events(&self) -> &dyn Events {
        self.backend.events()
    }

    pub(super) fn webhooks(&self) -> &dyn Webhooks {
        self.backend.webhooks()
    }

    /// Makes an entry that fits what was appended so far.
    pub(super) fn entry(&self, doc: &str, ops: &[Typed]) -> AppendEntry {
        let doc = id(doc);
        let head = self.heads.get(&doc).copied();
        let shard = usize::from(doc.shard());
        let versions = head.unwrap_or(0) + 1..;
        AppendEntry {
            epoch: self.epochs[shard],
            first_pos: self.positions[shard] + 1,
            create: head.is_none().then(|| new_document(&doc)),
            ops: ops.iter().zip(versions).map(|(typed, version)| typed.logged(version)).collect(),
            touch: false,
            preview: None,
            doc,
        }
    }

    /// Appends what must succeed.
    pub(super) async fn append(&mut self, batch: &[AppendEntry]) {
        self.store().append(batch).await.unwrap();
        self.backend.after_append().await;
        for entry in batch {
            self.positions[usize::from(entry.doc.shard())] += entry.ops.len() as u64;
            *self.heads.entry(entry.doc.clone()).or_default() += entry.ops.len() as u64;
        }
    }

    pub(super) async fn settle(&self) {
        self.backend.settle().await;
    }

    /// Makes the document if need be and appends `count` operations by one client, with the next versions as seqs.
    pub(super) async fn write(&mut self, doc: &str, count: u64) {
        let head = self.heads.get(&id(doc)).copied().unwrap_or(0);
        let ops: Vec<_> = (head + 1..=head + count).map(|seq| typed(1, seq)).collect();
        let entry = self.entry(doc, &ops);
        self.append(&[entry]).await;
    }

    /// Appends what must be refused, and returns the reasons by entry.
    pub(super) async fn refused(&self, batch: &[AppendEntry]) -> Vec<(usize, StoreError)> {
        match self.store().append(batch).await {
            Err(AppendError::Entries(entries)) => entries,
            other => panic!("the entries were to be refused by name, not {other:?}"),
        }
    }

    pub(super) async fn read(&self, doc: &str, versions: RangeInclusive<Version>) -> Vec<LoggedOp> {
        let (from, to) = versions.into_inner();
        self.store().read_ops(&id(doc), from - 1, to, usize::MAX, usize::MAX).await.unwrap()
    }
}

/// An operation as its author sends it.
#[derive(Clone, Copy)]
pub(super) struct Typed {
    client: ClientId,
    seq: u64,
}

impl Typed {
    fn logged(&self, version: Version) -> LoggedOp {
        LoggedOp {
            version,
            client: self.client,
            seq: self.seq,
            user: user_of(self.client),
            at: at(version),
            delta: format!(r#"[{{"insert":"{}.{} ü"}}]"#, self.client, self.seq).into(),
        }
    }
}

/// An operation of the client with this number.
pub(super) fn typed(client: u8, seq: u64) -> Typed {
    Typed { client: self::client(client), seq }
}

pub(super) fn client(number: u8) -> ClientId {
    ClientId(uuid::Uuid::from_bytes([number; 16]))
}

pub(super) fn user_of(client: ClientId) -> UserId {
    UserId::guest(client)
}

/// The time at which a version of any document is made.
pub(super) fn at(version: Version) -> Millis {
    1_700_000_000_000 + Millis::try_from(version).unwrap()
}

pub(super) fn id(doc: &str) -> DocumentId {
    doc.parse().unwrap()
}

pub(super) fn new_document(doc: &DocumentId) -> NewDocument {
    NewDocument {
        history: history(doc),
        title: format!("Title of {doc}"),
        owner: UserId("owner".into()),
        created_at: at(0),
        preview: String::new(),
        link: Some(Role::Editor),
    }
}

/// A history that can be told from the id.
pub(super) fn history(doc: &DocumentId) -> HistoryId {
    let hash = xxhash_rust::xxh3::xxh3_128(doc.as_str().as_bytes());
    HistoryId(uuid::Uuid::from_u128(hash))
}

/// Two ids of documents in one shard, and one in another.
pub(super) fn neighbours() -> (String, String, String) {
    let first = id("doc-0");
    let name = |n: u32| format!("doc-{n}");
    let same = (1..).map(name).find(|other| id(other).shard() == first.shard()).unwrap();
    let other = (1..).map(name).find(|other| id(other).shard() != first.shard()).unwrap();
    (first.to_string(), same, other)
}
