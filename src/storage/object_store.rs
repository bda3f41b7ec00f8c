//! The bodies of snapshots: compressed, checked, and in an object store unless they are small.

use std::io::Read;
use std::path::Path as FsPath;

use bytes::Bytes;
use object_store::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::objects::{Objects, Stored, Unread};
use super::sealing::{HEADER_BYTES, KeyId, Kind, Place, Unopened, is_sealed, key_of};
use super::{OpenError, SnapshotMeta, StoreError, first_line};
use crate::ids::{DocumentId, HistoryId, Millis, Version};
use crate::ot::Document;

/// What a stored body begins with, then the version of its format, then zstd of the content's canonical JSON.
const MAGIC: [u8; 4] = *b"QSNP";
const FORMAT: u8 = 1;
const HEADER: usize = MAGIC.len() + 1;

/// Bytes of a stored body up to which it stays in the database: reading it is then one read, and writing it no file.
pub const INLINE_BYTES: usize = 16 << 10;

/// Bytes of content that a body may unpack to. A document is 10 MB of text and attributes; written as JSON with every
/// character a part of its own it is some twenty times that.
const MOST_CONTENT: u64 = 512 << 20;

/// Bytes from which packing and unpacking is done on a thread that may block.
const BLOCKING_BYTES: usize = 256 << 10;

/// How fast, and how small, bodies are packed: zstd's own middle.
const LEVEL: i32 = 3;

/// Where snapshots' bodies are.
#[derive(Clone, Debug)]
pub struct SnapshotBodies {
    objects: Objects,
}

/// A snapshot that is to be stored.
#[derive(Clone, Debug)]
pub struct NewSnapshot {
    pub doc: DocumentId,
    pub history: HistoryId,
    pub version: Version,
    /// `at` of the operation that made the version; 0 at version 0.
    pub at: Millis,
    /// First line of text.
    pub preview: String,
    /// Canonical JSON of the document.
    pub content: Vec<u8>,
}

impl NewSnapshot {
    /// Makes one of a document's content at a version.
    pub fn of(doc: DocumentId, history: HistoryId, version: Version, at: Millis, content: &Document) -> Self {
        let mut json = Vec::with_capacity(content.size() as usize + 64);
        content.write_json(&mut json);
        Self { doc, history, version, at, preview: first_line(content), content: json }
    }
}

impl SnapshotBodies {
    /// Keeps bodies among these objects.
    pub fn over(objects: Objects) -> Self {
        Self { objects }
    }

    /// Keeps bodies in a local folder, see [`Objects::local`].
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn local(folder: &FsPath) -> Result<Self, OpenError> {
        Objects::local(folder).map(Self::over)
    }

    /// Keeps bodies in memory: for tests and simulation.
    pub fn in_memory() -> Self {
        Self::over(Objects::in_memory())
    }

    /// Packs a snapshot's content and makes its body durable; the row that is returned is to be recorded then.
    ///
    /// # Errors
    /// `Unavailable` when the object store is.
    pub async fn write(&self, snapshot: NewSnapshot) -> Result<SnapshotMeta, StoreError> {
        let NewSnapshot { doc, history, version, at, preview, content } = snapshot;
        let content_len = content.len();
        let sealer = self.objects.vault().sealer(&place(&doc, history, version)).await?;
        let pack = move || {
            let packed = encode(&content)?;
            sealer.map_or(Ok(packed.clone()), |sealer| sealer.seal(&packed).map(Bytes::from))
        };
        let body = blocking(content_len, pack).await?.map_err(StoreError::unavailable)?;
        let checksum = xxh3_64(&body);
        let bytes = body.len() as u64;
        let inline = (body.len() <= INLINE_BYTES).then(|| body.clone());
        let meta = SnapshotMeta { doc, history, version, at, checksum, bytes, inline, preview };
        if meta.inline.is_none() {
            self.objects.put(&key(&meta), body).await?;
        }
        Ok(meta)
    }

    /// Reads a snapshot's content.
    ///
    /// # Errors
    /// `Corrupt` when the body is missing, is not what was written, or unpacks to more than a document can have.
    pub async fn read(&self, meta: &SnapshotMeta) -> Result<Vec<u8>, StoreError> {
        let body = match &meta.inline {
            Some(body) => body.clone(),
            None => self.fetch(meta).await?,
        };
        let row = SnapshotMeta { inline: None, ..meta.clone() };
        if !is_sealed(&body) {
            return blocking(body.len(), move || decode(&row, &body)).await?;
        }
        let bytes = body.len();
        // What is damaged is told as that, and not as the wrong key.
        let (checked, whole) = (row.clone(), body.clone());
        blocking(bytes, move || check(&checked, &whole)).await??;
        let place = place(&meta.doc, meta.history, meta.version);
        let unopened = |error: Unopened| error.into_error(&meta.doc, meta.version, "snapshot");
        let unsealer = self.objects.vault().unsealer(&place, &body).await.map_err(unopened)?;
        let open = move || {
            let packed = unsealer.map(|unsealer| unsealer.open(&body)).transpose()?;
            Ok(content_of(&row, packed.as_deref().unwrap_or_default()))
        };
        blocking(bytes, open).await?.map_err(unopened)?
    }

    /// Tells with which key a snapshot's body is encrypted; `None` when it is plain.
    ///
    /// # Errors
    /// `Corrupt` when the body is missing or cannot be told, `Unavailable` when the object store is.
    pub(super) async fn key_of(&self, meta: &SnapshotMeta) -> Result<Option<KeyId>, StoreError> {
        let head = match &meta.inline {
            Some(body) => body.clone(),
            None => self.head(meta).await?,
        };
        key_of(&head).map_err(|error| error.into_error(&meta.doc, meta.version, "snapshot"))
    }

    async fn head(&self, meta: &SnapshotMeta) -> Result<Bytes, StoreError> {
        let read = self.objects.get_range(&key(meta), 0..meta.bytes.min(HEADER_BYTES), meta.bytes).await;
        read.map_err(|error| unread(meta, error))
    }

    async fn fetch(&self, meta: &SnapshotMeta) -> Result<Bytes, StoreError> {
        self.objects.get(&key(meta), meta.bytes).await.map_err(|error| unread(meta, error))
    }

    /// Removes the bodies of snapshots whose rows are gone; those that are not there are no error.
    ///
    /// # Errors
    /// `Unavailable` when the object store is; some of them may be left.
    pub async fn delete(&self, snapshots: &[SnapshotMeta]) -> Result<(), StoreError> {
        let stored = snapshots.iter().filter(|meta| meta.inline.is_none());
        self.objects.delete(stored.map(key).collect()).await
    }

    /// Removes all bodies of one history of a document, also those that no row names. That there are none is no error.
    ///
    /// # Errors
    /// `Unavailable` when the object store is; some of them may be left.
    pub async fn purge(&self, doc: &DocumentId, history: HistoryId) -> Result<(), StoreError> {
        self.objects.delete_below(&prefix(doc, history)).await
    }

    /// Lists the objects that are there of one history of a document.
    pub(super) async fn stored(
        &self,
        doc: &DocumentId,
        history: HistoryId,
    ) -> Result<Vec<Stored>, StoreError> {
        self.objects.list_below(&prefix(doc, history)).await
    }

    /// Removes objects that were listed.
    pub(super) async fn remove(&self, keys: Vec<String>) -> Result<(), StoreError> {
        self.objects.remove_listed(keys).await
    }

    /// Returns as what the body of a snapshot is listed.
    pub(super) fn key_in(meta: &SnapshotMeta) -> String {
        key(meta).to_string()
    }
}

/// Returns where the bodies of one history of a document are. The id is hashed, since ids differ in case alone and folders
/// may not.
fn prefix(doc: &DocumentId, history: HistoryId) -> Path {
    let mut hash = Xxh3::new();
    hash.update(doc.as_str().as_bytes());
    hash.update(history.0.as_bytes());
    Path::from(format!("snapshots/{:032x}", hash.digest128()))
}

/// Returns where a body is. The checksum keeps a body that is written again from replacing one that a row still points to.
fn key(meta: &SnapshotMeta) -> Path {
    prefix(&meta.doc, meta.history).join(format!("{:020}-{:016x}", meta.version, meta.checksum))
}

/// Returns where a body belongs, as far as its encryption is concerned.
fn place(doc: &DocumentId, history: HistoryId, version: Version) -> Place<'_> {
    Place { kind: Kind::Snapshot, doc, history, versions: (version, version) }
}

fn unread(meta: &SnapshotMeta, error: Unread) -> StoreError {
    match error {
        Unread::Away(error) => StoreError::unavailable(error),
        error => corrupt(meta, format!("its body: {error}")),
    }
}

/// Packs content into a body.
///
/// # Errors
/// When there is no memory for it.
pub fn encode(content: &[u8]) -> std::io::Result<Bytes> {
    let packed = zstd::bulk::compress(content, LEVEL)?;
    Ok([MAGIC.as_slice(), &[FORMAT], &packed].concat().into())
}

/// Unpacks a body after its checksum was found right.
///
/// # Errors
/// `Corrupt`, naming the document and the version.
pub fn decode(meta: &SnapshotMeta, body: &[u8]) -> Result<Vec<u8>, StoreError> {
    check(meta, body)?;
    content_of(meta, body)
}

fn check(meta: &SnapshotMeta, body: &[u8]) -> Result<(), StoreError> {
    if xxh3_64(body) == meta.checksum { Ok(()) } else { Err(corrupt(meta, "its checksum is wrong")) }
}

fn content_of(meta: &SnapshotMeta, body: &[u8]) -> Result<Vec<u8>, StoreError> {
    let packed = match body.split_at_checked(HEADER) {
        Some((header, packed)) if header[..MAGIC.len()] == MAGIC && header[MAGIC.len()] == FORMAT => packed,
        Some((header, _)) if header[..MAGIC.len()] == MAGIC => {
            return Err(corrupt(meta, format!("its format {} is not known", header[MAGIC.len()])));
        }
        _ => return Err(corrupt(meta, "it is no snapshot")),
    };
    unpack(packed, MOST_CONTENT).map_err(|error| corrupt(meta, error.to_string()))
}

/// Unpacks at most `most` bytes: what a body says of its own size is not believed.
pub(super) fn unpack(packed: &[u8], most: u64) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let unpacked =
        zstd::stream::read::Decoder::with_buffer(packed)?.take(most + 1).read_to_end(&mut content)?;
    if unpacked as u64 > most {
        return Err(std::io::Error::other(format!("it unpacks to more than {most} bytes")));
    }
    Ok(content)
}

fn corrupt(meta: &SnapshotMeta, why: impl std::fmt::Display) -> StoreError {
    let why = format!("the snapshot cannot be read: {why}");
    StoreError::Corrupt { doc: meta.doc.clone(), version: meta.version, why }
}

/// Runs `work` here, or where it may take its time when it has much to do.
///
/// # Errors
/// `Unavailable` when the thread is gone: it panicked, or the runtime is shutting down.
pub(super) async fn blocking<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    if bytes < BLOCKING_BYTES {
        return Ok(work());
    }
    let work: Box<dyn FnOnce() -> T + Send> = Box::new(work);
    tokio::task::spawn_blocking(work).await.map_err(StoreError::unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(content: Vec<u8>) -> NewSnapshot {
        NewSnapshot {
            doc: "doc".parse().unwrap(),
            history: HistoryId(uuid::Uuid::from_u128(7)),
            version: 12,
            at: 34,
            preview: "First".into(),
            content,
        }
    }

    /// Content that no compression makes small.
    fn noise(bytes: usize) -> Vec<u8> {
        (0..bytes as u64).map(|n| xxh3_64(&n.to_le_bytes()) as u8).collect()
    }

    fn local() -> (tempfile::TempDir, SnapshotBodies) {
        let folder = tempfile::tempdir().unwrap();
        let bodies = SnapshotBodies::local(&folder.path().join("objects")).unwrap();
        (folder, bodies)
    }

    fn files(folder: &FsPath) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[tokio::test]
    async fn a_small_body_stays_in_the_row_and_a_large_one_becomes_a_file() {
        let (folder, bodies) = local();
        let small = bodies.write(snapshot(b"[]".to_vec())).await.unwrap();
        assert!(small.inline.is_some());
        assert!(files(folder.path()).is_empty());
        assert_eq!(bodies.read(&small).await.unwrap(), b"[]");

        for content in [noise(INLINE_BYTES + 1), noise(2 * BLOCKING_BYTES)] {
            let large = bodies.write(snapshot(content.clone())).await.unwrap();
            assert_eq!(large.inline, None);
            assert_eq!(bodies.read(&large).await.unwrap(), content);
        }
        for file in files(folder.path()) {
            assert!(!file.to_string_lossy().contains("doc"), "{file:?} gives the id away");
        }
    }

    #[tokio::test]
    async fn what_happened_to_a_body_is_told_with_document_and_version() {
        let (folder, bodies) = local();
        let meta = bodies.write(snapshot(noise(INLINE_BYTES * 2))).await.unwrap();
        let file = files(folder.path()).pop().unwrap();
        let whole = std::fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;

        for (stored, why) in [(&whole[..100], "100 bytes"), (&flipped, "checksum")] {
            std::fs::write(&file, stored).unwrap();
            let message = bodies.read(&meta).await.unwrap_err().to_string();
            assert!(message.contains(why) && message.contains("doc") && message.contains("12"), "{message}");
        }
        std::fs::remove_file(&file).unwrap();
        let message = bodies.read(&meta).await.unwrap_err().to_string();
        assert!(message.contains("missing"), "{message}");
    }

    #[test]
    fn a_body_that_is_none_or_of_a_later_format_is_refused() {
        let meta = |body: &[u8]| SnapshotMeta {
            doc: "doc".parse().unwrap(),
            history: HistoryId::generate(),
            version: 1,
            at: 0,
            checksum: xxh3_64(body),
            bytes: body.len() as u64,
            inline: None,
            preview: String::new(),
        };
        let mut later = encode(b"[]").unwrap().to_vec();
        later[MAGIC.len()] = 2;
        for body in [b"".as_slice(), b"QSN", b"PNG..", b"QSNP\x01not zstd", &later] {
            assert!(
                matches!(decode(&meta(body), body), Err(StoreError::Corrupt { version: 1, .. })),
                "{body:?}"
            );
        }
    }

    #[test]
    fn a_body_that_unpacks_to_too_much_is_left_at_the_bound() {
        let bomb = zstd::bulk::compress(&vec![b' '; 1 << 20], LEVEL).unwrap();
        assert!(bomb.len() < 1000);
        assert!(unpack(&bomb, (1 << 20) - 1).is_err());
        assert_eq!(unpack(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[tokio::test]
    async fn a_purge_takes_every_body_of_its_document_and_none_of_another() {
        let (folder, local) = local();
        for bodies in [local, SnapshotBodies::in_memory()] {
            let gone = bodies.write(snapshot(noise(INLINE_BYTES + 1))).await.unwrap();
            let other = NewSnapshot { doc: "Doc".parse().unwrap(), ..snapshot(noise(INLINE_BYTES + 1)) };
            let kept = bodies.write(other).await.unwrap();
            // As the process leaves it that dies in the middle of writing.
            if let Some(file) = files(folder.path()).iter().find(|file| file.ends_with(key(&gone).as_ref())) {
                std::fs::write(file.with_extension("#1"), "half of it").unwrap();
            }
            bodies.purge(&gone.doc, gone.history).await.unwrap();
            assert!(bodies.read(&gone).await.is_err());
            assert!(bodies.read(&kept).await.is_ok());
            bodies.purge(&gone.doc, gone.history).await.unwrap();
        }
        assert_eq!(files(folder.path()).len(), 1);
    }

    #[tokio::test]
    async fn many_bodies_are_deleted_at_once_and_twice_is_no_error() {
        let (folder, bodies) = local();
        let mut metas = vec![bodies.write(snapshot(b"[]".to_vec())).await.unwrap()];
        for n in 1..4 {
            metas.push(bodies.write(snapshot(noise(INLINE_BYTES + n))).await.unwrap());
        }
        assert_eq!(files(folder.path()).len(), 3);
        bodies.delete(&metas).await.unwrap();
        assert!(files(folder.path()).is_empty());
        bodies.delete(&metas).await.unwrap();
    }

    fn sealed(folder: &tempfile::TempDir, keys: &[(&str, u8)]) -> SnapshotBodies {
        let objects = Objects::local(&folder.path().join("objects")).unwrap();
        SnapshotBodies::over(objects.sealed_by(crate::storage::sealing::tests::vault(keys)))
    }

    #[tokio::test]
    async fn with_keys_no_body_is_plain_and_those_that_are_stay_readable() {
        let (folder, plain) = local();
        let bodies = sealed(&folder, &[("one", 1)]);
        for content in [b"[\"hello\"]".to_vec(), noise(INLINE_BYTES + 1), noise(2 * BLOCKING_BYTES)] {
            let before = plain.write(snapshot(content.clone())).await.unwrap();
            assert_eq!(bodies.read(&before).await.unwrap(), content);
            assert_eq!(bodies.key_of(&before).await.unwrap(), None);
            let meta = bodies.write(snapshot(content.clone())).await.unwrap();
            assert_eq!(bodies.read(&meta).await.unwrap(), content);
            assert_eq!(bodies.key_of(&meta).await.unwrap().unwrap().as_str(), "one");
            for (bodies, why) in
                [(&plain, "no encryption keys"), (&sealed(&folder, &[("two", 1)]), "not among")]
            {
                let error = bodies.read(&meta).await.unwrap_err();
                assert!(matches!(error, StoreError::Corrupt { version: 12, .. }), "{error:?}");
                let told = error.to_string();
                assert!(["doc", "12", "key one", why].iter().all(|word| told.contains(word)), "{told}");
            }
        }
    }

    #[tokio::test]
    async fn an_encrypted_body_is_not_taken_for_that_of_another_document_or_version() {
        let (folder, _) = local();
        let bodies = sealed(&folder, &[("one", 1)]);
        let mine = bodies.write(snapshot(b"mine".to_vec())).await.unwrap();
        let others = [
            NewSnapshot { doc: "other".parse().unwrap(), ..snapshot(b"other".to_vec()) },
            NewSnapshot { version: 13, ..snapshot(b"other".to_vec()) },
            NewSnapshot { history: HistoryId::generate(), ..snapshot(b"other".to_vec()) },
        ];
        for other in others {
            let other = bodies.write(other).await.unwrap();
            // Whoever can write to the database can make the checksum right.
            let swapped = SnapshotMeta {
                checksum: other.checksum,
                bytes: other.bytes,
                inline: other.inline,
                ..mine.clone()
            };
            let error = bodies.read(&swapped).await.unwrap_err();
            assert!(matches!(error, StoreError::Corrupt { version: 12, .. }), "{error:?}");
        }
        let mut damaged = mine.clone();
        damaged.inline = damaged.inline.map(|body| [&body[..body.len() - 1], b"x"].concat().into());
        assert!(bodies.read(&damaged).await.unwrap_err().to_string().contains("checksum"));
    }

    /// `cargo test --lib what_encryption_costs -- --ignored --nocapture`
    #[tokio::test]
    #[ignore = "it measures"]
    async fn what_encryption_costs() {
        let (folder, plain) = local();
        let sealed = sealed(&folder, &[("one", 1)]);
        let words = (0..150_000_u64).map(|n| format!("{} ", xxh3_64(&n.to_le_bytes()) % 5_000));
        let text = format!("[{{\"insert\":\"{}\"}}]", words.collect::<String>());
        for (content, times) in [(text[..2_000].to_owned(), 2_000), (text, 50)] {
            let bytes = content.len();
            for (name, bodies) in [("plain", &plain), ("encrypted", &sealed)] {
                let mut took = [std::time::Duration::ZERO; 2];
                for n in 0..times {
                    let new = NewSnapshot { version: n, ..snapshot(content.clone().into_bytes()) };
                    let begun = std::time::Instant::now();
                    let meta = bodies.write(new).await.unwrap();
                    let written = std::time::Instant::now();
                    bodies.read(&meta).await.unwrap();
                    took[0] += written - begun;
                    took[1] += written.elapsed();
                }
                println!(
                    "{bytes} bytes {name}: written {:?}, read {:?}",
                    took[0] / times as u32,
                    took[1] / times as u32
                );
            }
        }
    }
}
