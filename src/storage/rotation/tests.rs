use std::sync::Arc;

use super::*;
use crate::ids::{ClientId, HistoryId, UserId};
use crate::storage::events::Webhook;
use crate::storage::sealing::tests::vault;
use crate::storage::{
    AppendEntry, DataDir, DocumentStore as _, LoggedOp, MemoryStore, NewDocument, Objects, OpLog as _,
    OwnershipStore as _, SegmentIndex as _, Segments, SnapshotIndex as _, SqliteOptions, SqliteStore,
};

/// A document with 30 operations, of which 20 are in two segments, and snapshots of two versions: a small and a large one. And a
/// webhook.
struct Scene {
    warm: Arc<MemoryStore>,
    objects: Objects,
    hooks: SqliteStore,
    _folder: tempfile::TempDir,
}

const SECRET: &[u8] = b"whsec_of_the_hook";

fn hook() -> Webhook {
    Webhook {
        id: "wh_1".to_owned(),
        owner: None,
        made_by: UserId("ada".into()),
        url: "https://example.org".to_owned(),
        kinds: Vec::new(),
        enabled: true,
        reason: None,
        failing_since: None,
        made_at: 1,
    }
}

/// Content that no compression makes small.
fn noise() -> Vec<u8> {
    (0..40_000_u64).map(|n| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes()) as u8).collect()
}

fn doc() -> DocumentId {
    "doc".parse().unwrap()
}

fn ops() -> Vec<LoggedOp> {
    let client = ClientId(uuid::Uuid::from_u128(1));
    let op = |version| LoggedOp {
        version,
        client,
        seq: version,
        user: UserId::guest(client),
        at: 1_000,
        delta: r#"[{"insert":"x"}]"#.into(),
    };
    (1..=30).map(op).collect()
}

impl Scene {
    fn tiers(&self, vault: &Vault) -> Tiers {
        Tiers {
            warm: self.warm.clone(),
            segments: Segments::over(self.objects.clone().sealed_by(vault.clone())),
        }
    }

    fn bodies(&self, vault: &Vault) -> SnapshotBodies {
        SnapshotBodies::over(self.objects.clone().sealed_by(vault.clone()))
    }

    /// With everything under the keys of `vault`.
    async fn new(vault: &Vault) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::lock(folder.path()).unwrap();
        let hooks = SqliteStore::open(dir, &SqliteOptions::default()).await.unwrap();
        let sealed = Secrets::new(vault.clone()).seal("wh_1", SECRET).await.unwrap();
        hooks.add_hook(&hook(), &sealed, None).await.unwrap();
        let (warm, objects) = (Arc::new(MemoryStore::new()), Objects::in_memory());
        let scene = Self { warm, objects, hooks, _folder: folder };
        let history = HistoryId::generate();
        let epochs = scene.warm.claim_all("node").await.unwrap();
        let epoch = epochs[usize::from(doc().shard())];
        let new = NewDocument {
            history,
            title: "Title".to_owned(),
            owner: UserId("ada".into()),
            created_at: 1,
            preview: String::new(),
            link: None,
        };
        let (ops, first_pos) = (ops(), 1);
        let create = Some(new);
        let entry = AppendEntry { doc: doc(), epoch, first_pos, create, ops, touch: false, preview: None };
        scene.warm.append(&[entry]).await.unwrap();
        let tiers = scene.tiers(vault);
        for (after, upto) in [(0, 10), (10, 20)] {
            let ops = scene.warm.read_ops(&doc(), after, upto, 99, usize::MAX).await.unwrap();
            let segment = tiers.segments.write(&doc(), history, ops.into()).await.unwrap();
            scene.warm.record_segment(epoch, &segment).await.unwrap();
        }
        scene.warm.remove_archived(&doc(), epoch, 20, 99).await.unwrap();
        for (version, content) in [(10, b"small".to_vec()), (20, noise())] {
            let snapshot =
                NewSnapshot { doc: doc(), history, version, at: 1, preview: "shown".to_owned(), content };
            let meta = scene.bodies(vault).write(snapshot).await.unwrap();
            scene.warm.record_snapshots(&[meta]).await.unwrap();
        }
        scene
    }

    async fn rotate(&self, vault: &Vault, dry: bool) -> Rotated {
        let (tiers, bodies) = (self.tiers(vault), self.bodies(vault));
        let store = tiers.joined();
        let (tiers, hooks, strays) = (&tiers, &self.hooks, Age::Any);
        Rotation { store: &*store, bodies: &bodies, tiers, hooks, vault, dry, strays }
            .run(|_| ())
            .await
            .unwrap()
    }

    /// Reads all there is.
    async fn is_whole_for(&self, vault: &Vault) -> bool {
        let found = self.tiers(vault).joined().read_ops(&doc(), 0, 30, 99, usize::MAX).await;
        let mut whole = found.is_ok_and(|found| found == ops());
        for (version, content) in [(10, b"small".to_vec()), (20, noise())] {
            let meta = self.warm.snapshots(&doc(), version, 1).await.unwrap().pop().unwrap();
            whole &= self.bodies(vault).read(&meta).await.is_ok_and(|found| found == content);
        }
        let (hook, sealed) = self.hooks.sealed_secrets("", 9).await.unwrap().pop().unwrap();
        whole &= Secrets::new(vault.clone()).open(&hook, &sealed).await.is_ok_and(|found| found == SECRET);
        whole
    }
}

fn counts(rotated: &Rotated) -> Vec<(&str, u64)> {
    assert_eq!(rotated.complaints, [""; 0]);
    let name = |(key, count): (&'_ Option<KeyId>, &u64)| (key.as_ref().map_or("plain", leak), *count);
    rotated.keys.iter().map(name).collect()
}

fn leak(key: &KeyId) -> &'static str {
    Box::leak(key.to_string().into_boxed_str())
}

#[tokio::test]
async fn plain_objects_are_encrypted_then_brought_under_another_key_and_the_old_one_is_not_needed() {
    let scene = Scene::new(&Vault::plain()).await;
    let (one, both, two) = (vault(&[("one", 1)]), vault(&[("two", 2), ("one", 1)]), vault(&[("two", 2)]));
    assert_eq!(counts(&scene.rotate(&one, true).await), [("plain", 5)]);
    assert!(scene.is_whole_for(&one).await, "what is plain is readable");

    let rotated = scene.rotate(&one, false).await;
    assert_eq!((rotated.snapshots, rotated.segments, rotated.secrets), (2, 2, 1));
    assert_eq!(counts(&rotated), [("one", 5)]);
    assert!(scene.is_whole_for(&one).await && !scene.is_whole_for(&Vault::plain()).await);

    assert_eq!(counts(&scene.rotate(&both, false).await), [("two", 5)]);
    assert!(scene.is_whole_for(&two).await && !scene.is_whole_for(&one).await);
    assert_eq!(scene.objects.count().await, 3, "nothing is left of the old ones");
    let again = scene.rotate(&both, false).await;
    assert_eq!((again.snapshots, again.segments, again.secrets), (0, 0, 0));
    let row = scene.warm.document(&doc()).await.unwrap();
    assert_eq!((row.snapshot_version, &*row.preview), (20, "shown"));

    assert_eq!(counts(&scene.rotate(&Vault::plain(), true).await), [("two", 5)]);
}

#[tokio::test]
async fn without_the_old_key_everything_stays_and_each_object_is_named() {
    let scene = Scene::new(&vault(&[("one", 1)])).await;
    let rotated = scene.rotate(&vault(&[("two", 2)]), false).await;
    assert_eq!(rotated.complaints.len(), 5, "{:?}", rotated.complaints);
    for complaint in &rotated.complaints {
        let named = complaint.contains("document doc") || complaint.contains("webhook wh_1");
        assert!(named && complaint.contains("key one"), "{complaint}");
    }
    assert!(scene.is_whole_for(&vault(&[("one", 1)])).await);
}

#[tokio::test]
async fn who_reads_while_a_segment_is_replaced_reads_the_new_one() {
    let scene = Scene::new(&Vault::plain()).await;
    let (tiers, warm) = (scene.tiers(&Vault::plain()), scene.warm.clone());
    let before = warm.segments(&doc(), 0, 1).await.unwrap().pop().unwrap();
    let anew = tiers.rewrite(&before, |_| {}).await.unwrap();
    assert_ne!(before.key, anew.key);
    let again = tiers.rewrite(&before, |_| {}).await;
    assert!(again.is_err(), "its object is gone");
    assert!(scene.is_whole_for(&Vault::plain()).await);
}

#[tokio::test]
async fn what_a_rotation_has_left_that_was_killed_goes_with_the_next() {
    let (one, both) = (vault(&[("one", 1)]), vault(&[("two", 2), ("one", 1)]));
    let scene = Scene::new(&one).await;
    let count = scene.objects.count().await;
    // As it is after an object was written and before its row is, or before the old one goes.
    let history = scene.warm.document(&doc()).await.unwrap().history;
    let snapshot =
        NewSnapshot { doc: doc(), history, version: 20, at: 1, preview: String::new(), content: noise() };
    scene.bodies(&Vault::plain()).write(snapshot).await.unwrap();
    let some = scene.tiers(&one).joined().read_ops(&doc(), 0, 10, 99, usize::MAX).await.unwrap();
    scene.tiers(&Vault::plain()).segments.write(&doc(), history, some.into()).await.unwrap();

    assert_eq!((scene.rotate(&one, true).await.strays, scene.objects.count().await), (2, count + 2));
    let (tiers, bodies) = (scene.tiers(&both), scene.bodies(&both));
    let strays = Strays { store: &*tiers.warm, bodies: &bodies, segments: &tiers.segments };
    assert_eq!(strays.remove(&doc(), Age::Old).await.unwrap(), 0, "a server may be about to record them");
    assert_eq!(scene.rotate(&both, false).await.strays, 2);
    assert_eq!(scene.objects.count().await, count);
    assert!(scene.is_whole_for(&vault(&[("two", 2)])).await);
}
