use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::ids::{ClientId, HistoryId, Version};
use crate::protocol::Role;
use crate::storage::people::Fate;
use crate::storage::permissions::{Asker, Grant, Group, GroupId, Member, SharedPermissions, Subject};
use crate::storage::portability::Exporter;
use crate::storage::postgres::tests::TestDatabase;
use crate::storage::sqlite::SqliteStore;
use crate::storage::{
    AppendEntry, DataDir, LoggedOp, NewDocument, Objects, Segments, SharedStore, SqliteOptions, history,
};

/// Two documents: Ada's own, in which Bob has written too, and Bob's, in which Ada has; part of each in a segment.
struct Scene {
    tiers: Tiers,
    bodies: Arc<SnapshotBodies>,
    people: Arc<dyn People>,
    permissions: SharedPermissions,
    sqlite: Option<Arc<SqliteStore>>,
    _folder: tempfile::TempDir,
}

fn user(id: &str) -> UserId {
    UserId(id.into())
}

fn doc(id: &str) -> DocumentId {
    id.parse().unwrap()
}

fn op(version: Version, author: &str) -> LoggedOp {
    let number = author.bytes().map(u128::from).sum();
    LoggedOp {
        version,
        client: ClientId(uuid::Uuid::from_u128(number)),
        seq: version,
        user: user(author),
        at: 1_000,
        delta: r#"[{"insert":"x"}]"#.into(),
    }
}

impl Scene {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::lock(folder.path()).unwrap();
        let store = Arc::new(SqliteStore::open(dir, &SqliteOptions::default()).await.unwrap());
        Self::with(store.clone(), store.clone(), store.clone(), folder, Some(store)).await
    }

    async fn postgres() -> Self {
        let store = Arc::new(TestDatabase::new().await.open().await);
        Self::with(store.clone(), store.clone(), store, tempfile::tempdir().unwrap(), None).await
    }

    async fn with(
        warm: SharedStore,
        people: Arc<dyn People>,
        permissions: SharedPermissions,
        folder: tempfile::TempDir,
        sqlite: Option<Arc<SqliteStore>>,
    ) -> Self {
        let epochs = warm.claim_all("node").await.unwrap();
        let same_shard = doc("adas").shard() == doc("bobs").shard();
        for (id, owner) in [("adas", "ada"), ("bobs", "bob")] {
            let create = NewDocument {
                history: HistoryId(uuid::Uuid::from_u128(7)),
                title: format!("Of {owner}"),
                owner: user(owner),
                created_at: 1,
                preview: String::new(),
                link: Some(Role::Editor),
            };
            let ops =
                (1..=8).map(|version| op(version, if version % 2 == 1 { "ada" } else { "bob" })).collect();
            let epoch = epochs[usize::from(doc(id).shard())];
            let entry = AppendEntry {
                doc: doc(id),
                epoch,
                first_pos: if id == "bobs" && same_shard { 9 } else { 1 },
                create: Some(create),
                ops,
                touch: false,
                preview: None,
            };
            warm.append(&[entry]).await.unwrap();
        }
        if let Some(sqlite) = &sqlite {
            sqlite.settle_now().await.unwrap();
        }
        let tiers = Tiers { warm, segments: Segments::over(Objects::in_memory()) };
        for id in ["adas", "bobs"] {
            let ops = tiers.warm.read_ops(&doc(id), 0, 4, 9, usize::MAX).await.unwrap();
            let history = HistoryId(uuid::Uuid::from_u128(7));
            let segment = tiers.segments.write(&doc(id), history, ops.into()).await.unwrap();
            let epoch = epochs[usize::from(doc(id).shard())];
            tiers.warm.record_segment(epoch, &segment).await.unwrap();
            tiers.warm.remove_archived(&doc(id), epoch, 4, 9).await.unwrap();
        }
        Self {
            tiers,
            bodies: Arc::new(SnapshotBodies::in_memory()),
            people,
            permissions,
            sqlite,
            _folder: folder,
        }
    }

    async fn settle(&self) {
        if let Some(sqlite) = &self.sqlite {
            sqlite.settle_now().await.unwrap();
        }
    }

    fn eraser(&self) -> Eraser<'_> {
        let (tiers, bodies, people) = (&self.tiers, &*self.bodies, &*self.people);
        Eraser { tiers, bodies, people, now: 9_000, strays: Age::Any }
    }

    /// The authors of a document's operations.
    async fn authors(&self, id: &str) -> Vec<String> {
        let ops = self.tiers.joined().read_ops(&doc(id), 0, 99, 99, usize::MAX).await.unwrap();
        ops.into_iter().map(|op| op.user.0.to_string()).collect()
    }

    async fn owner(&self, id: &str) -> String {
        self.tiers.warm.document(&doc(id)).await.unwrap().owner.0.to_string()
    }

    async fn export(&self, id: &str) -> Value {
        let (out, mut parts) = tokio::sync::mpsc::channel::<Bytes>(99);
        let (store, bodies, people) = (self.tiers.joined(), self.bodies.clone(), self.people.clone());
        // Whoever kept a turn would wait for themselves.
        let turns = tokio::sync::Semaphore::new(1);
        let turn = async || turns.acquire().await.map_err(StoreError::unavailable);
        Exporter { store, bodies, people }.write(&user(id), &out, turn).await.unwrap();
        assert_eq!(turns.available_permits(), 1);
        drop(out);
        let mut text = Vec::new();
        while let Some(part) = parts.recv().await {
            text.extend_from_slice(&part);
        }
        serde_json::from_slice(&text).unwrap()
    }
}

async fn a_speaking_id_is_replaced_in_database_and_segments(scene: Scene) {
    let erasing = Erasing::new(user("ada"), Fate::Private, 2_000);
    let pseudonym = erasing.pseudonym.0.to_string();
    let erased = scene.eraser().erase(&erasing).await.unwrap();
    assert_eq!((erased.purged, erased.renamed, erased.segments), (0, 2, 2));
    for id in ["adas", "bobs"] {
        let authors = scene.authors(id).await;
        assert_eq!(authors, [&*pseudonym, "bob"].repeat(4), "{id}");
        let content = history::at(&*scene.tiers.joined(), &scene.bodies, &doc(id), 8).await.unwrap().content;
        assert_eq!(content.text(), "xxxxxxxx");
    }
    assert_eq!((scene.owner("adas").await, scene.owner("bobs").await), (pseudonym, "bob".to_owned()));
    assert!(scene.people.documents_of(&user("ada"), None, 9).await.unwrap().is_empty());
    assert!(scene.people.erasures().await.unwrap().is_empty());
    let again = scene.eraser().erase(&Erasing::new(user("ada"), Fate::Private, 3_000)).await.unwrap();
    assert_eq!(again, Erased::default());
}

async fn an_erasure_that_was_cut_short_goes_on_with_the_same_id(scene: Scene) {
    let erasing = Erasing::new(user("ada"), Fate::Private, 2_000);
    scene.people.begin_erasure(&erasing).await.unwrap();
    // One document is done.
    assert!(scene.people.rename_in(&doc("bobs"), &erasing).await.unwrap());
    let other = Erasing::new(user("ada"), Fate::Private, 3_000);
    let noted = Erasing { begun_at: 3_000, ..erasing.clone() };
    assert_eq!(scene.people.begin_erasure(&other).await.unwrap().erasing, noted);
    assert_eq!(scene.eraser().finish_all().await.unwrap(), 1);
    assert_eq!(scene.authors("adas").await[0], &*erasing.pseudonym.0);
    assert_eq!(scene.eraser().finish_all().await.unwrap(), 0);
}

async fn with_their_documents_goes_what_they_own_alone(scene: Scene) {
    let erased = scene.eraser().erase(&Erasing::new(user("ada"), Fate::Owned, 2_000)).await.unwrap();
    assert_eq!((erased.purged, erased.renamed), (1, 1));
    assert!(matches!(scene.tiers.warm.document(&doc("adas")).await, Err(StoreError::NotFound { .. })));
    assert_eq!(scene.authors("bobs").await[1], "bob");
}

async fn who_comes_back_loses_nothing(scene: Scene) {
    let erasing = Erasing::new(user("ada"), Fate::Owned, 2_000);
    scene.people.begin_erasure(&erasing).await.unwrap();
    let epochs = scene.tiers.warm.claim_all("node").await.unwrap();
    let new = NewDocument {
        history: HistoryId(uuid::Uuid::from_u128(8)),
        title: "Novel".to_owned(),
        owner: user("ada"),
        created_at: 5_000,
        preview: String::new(),
        link: None,
    };
    let later = |version, seq| LoggedOp {
        client: ClientId(uuid::Uuid::from_u128(9)),
        seq,
        at: 5_000,
        ..op(version, "ada")
    };
    let positions = scene.tiers.warm.last_positions().await.unwrap();
    for (id, create, version) in [("novel", Some(new), 1), ("bobs", None, 9)] {
        let shard = usize::from(doc(id).shard());
        let entry = AppendEntry {
            doc: doc(id),
            epoch: epochs[shard],
            first_pos: positions[shard] + 1,
            create,
            ops: vec![later(version, version)],
            touch: false,
            preview: None,
        };
        scene.tiers.warm.append(&[entry]).await.unwrap();
    }
    scene.settle().await;
    assert_eq!(scene.eraser().finish_all().await.unwrap(), 1);
    assert!(scene.tiers.warm.document(&doc("adas")).await.is_err(), "it was hers when she asked");
    assert_eq!(scene.owner("novel").await, "ada");
    let authors = scene.authors("bobs").await;
    assert_eq!((&*authors[0], &*authors[8]), (&*erasing.pseudonym.0, "ada"));
    let left = scene.people.documents_of(&user("ada"), None, 9).await.unwrap();
    let left: Vec<_> = left.iter().map(|left| left.doc.as_str()).collect();
    assert_eq!(left, ["bobs", "novel"]);
}

async fn what_has_ended_shares_nothing(scene: Scene) {
    let grant = |subject, role, expires_at| Grant {
        subject,
        role,
        granted_by: user("ada"),
        granted_at: 1,
        expires_at,
    };
    scene.permissions.set_link(&Asker::Server, &doc("adas"), None).await.unwrap();
    let bob = Subject::User(user("bob"));
    scene
        .permissions
        .grant(&Asker::Server, &doc("adas"), &grant(bob.clone(), Role::Editor, Some(1_500)))
        .await
        .unwrap();
    let erasing = Erasing::new(user("ada"), Fate::Private, 1_400);
    let doomed = async || scene.people.doomed(&user("ada"), 9).await.unwrap();
    scene.people.begin_erasure(&erasing).await.unwrap();
    assert_eq!(doomed().await, []);
    scene.people.begin_erasure(&Erasing { begun_at: 1_501, ..erasing }).await.unwrap();
    assert_eq!(doomed().await, [], "it is another's by now");
    let owner = user(&scene.owner("adas").await);
    scene.people.begin_erasure(&Erasing::new(owner.clone(), Fate::Private, 1_501)).await.unwrap();
    assert_eq!(scene.people.doomed(&owner, 9).await.unwrap(), [doc("adas")]);
}

async fn rights_go_and_are_counted_and_a_group_keeps_a_manager(scene: Scene) {
    let group =
        |name: &str| Group { id: GroupId::generate(), name: name.into(), made_by: user("ada"), made_at: 1 };
    let (alone, common) = (group("alone"), group("common"));
    for group in [&alone, &common] {
        scene.permissions.create_group(&Asker::Server, group, None).await.unwrap();
        let grant = Grant {
            subject: Subject::Group(group.id),
            role: Role::Viewer,
            granted_by: user("bob"),
            granted_at: 1,
            expires_at: None,
        };
        scene.permissions.grant(&Asker::Server, &doc("bobs"), &grant).await.unwrap();
    }
    for (name, added_at) in [("eve", 3), ("bob", 2)] {
        let member = Member { user: user(name), manager: false, added_by: user("ada"), added_at };
        scene.permissions.set_member(&Asker::Server, common.id, &member).await.unwrap();
    }
    let changes = async || scene.permissions.changes(&[doc("bobs")]).await.unwrap()[0].1;
    let before = changes().await;
    let erasing = Erasing::new(user("ada"), Fate::Private, 2_000);
    assert_eq!(scene.people.begin_erasure(&erasing).await.unwrap().rows, 2);
    assert!(changes().await > before);
    assert!(scene.permissions.group(&Asker::Server, alone.id).await.unwrap().is_none());
    let (group, members) = scene.permissions.group(&Asker::Server, common.id).await.unwrap().unwrap();
    let managers: Vec<_> = members.iter().map(|member| (&*member.user.0, member.manager)).collect();
    assert_eq!(managers, [("bob", true), ("eve", false)]);
    assert!(group.made_by == erasing.pseudonym && members[0].added_by == erasing.pseudonym);
    assert_eq!(scene.permissions.grants(&Asker::Server, &doc("bobs"), None, 9, 1).await.unwrap().len(), 1);
}

async fn what_is_given_out_has_content_of_the_own_and_counts_of_others(scene: Scene) {
    let all = scene.export("ada").await;
    assert_eq!((&all["user"], &all["complete"]), (&"ada".into(), &true.into()));
    let documents = all["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0]["content"][0]["insert"], "xxxxxxxx");
    assert_eq!((&documents[1]["id"], &documents[1]["content"]), (&"bobs".into(), &Value::Null));
    assert_eq!(scene.export("nobody").await["documents"], Value::Array(Vec::new()));
}

macro_rules! over_both {
    ($($behaviour:ident: $sqlite:ident $postgres:ident;)*) => {
        $(
            #[tokio::test]
            async fn $sqlite() {
                $behaviour(Scene::sqlite().await).await;
            }

            #[tokio::test]
            async fn $postgres() {
                $behaviour(Scene::postgres().await).await;
            }
        )*
    };
}

over_both! {
    a_speaking_id_is_replaced_in_database_and_segments: replaced_sqlite replaced_postgres;
    an_erasure_that_was_cut_short_goes_on_with_the_same_id: resumed_sqlite resumed_postgres;
    who_comes_back_loses_nothing: back_sqlite back_postgres;
    what_has_ended_shares_nothing: ended_sqlite ended_postgres;
    rights_go_and_are_counted_and_a_group_keeps_a_manager: rights_sqlite rights_postgres;
    with_their_documents_goes_what_they_own_alone: owned_sqlite owned_postgres;
    what_is_given_out_has_content_of_the_own_and_counts_of_others: given_out_sqlite given_out_postgres;
}
