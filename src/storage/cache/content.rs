//! A document's content as Redis keeps it, and the table `contents` too.
//!
//! `QRED`, a byte for the format (1), the checksum (xxh3-64 of the document's id and of all that follows), history (16
//! bytes), version and `at` (8 bytes each, big-endian), and the content's canonical JSON in zstd.

use xxhash_rust::xxh3::Xxh3;

use super::super::object_store::unpack;
use super::Place;
use crate::ids::{DocumentId, HistoryId, Millis, Version};
use crate::ot::Document;

const MAGIC: [u8; 5] = *b"QRED\x01";
const CHECKED_FROM: usize = MAGIC.len() + 8;
const HEAD: usize = CHECKED_FROM + 16 + 8 + 8;

/// Bytes of the largest value that is kept. A larger one would hold up the others for milliseconds, and hundreds of them fill
/// a Redis.
pub const MOST_BYTES: usize = 1 << 20;

/// Bytes of JSON that a value in Redis may unpack to: what it says of its own size is not believed.
pub(super) const MOST_JSON: u64 = 64 << 20;

/// As fast as zstd packs: the content is gone in an hour.
const LEVEL: i32 = 1;

/// A document at a version.
#[derive(Clone)]
pub struct Content {
    pub version: Version,
    /// When the version was made; 0 at version 0.
    pub at: Millis,
    pub content: Document,
}

/// What a value says of itself.
pub(in crate::storage) struct Head {
    pub history: HistoryId,
    pub version: Version,
}

/// Packs content; `None` when there is no memory for it, or it has more than `most` bytes of JSON.
pub(in crate::storage) fn encode(place: Place<'_>, content: &Content, most: u64) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(content.content.size() as usize + 64);
    content.content.write_json(&mut json);
    if json.len() as u64 > most {
        return None;
    }
    let mut value = Vec::with_capacity(HEAD + json.len() / 2);
    value.extend_from_slice(&MAGIC);
    value.extend_from_slice(&[0; 8]);
    value.extend_from_slice(place.history.0.as_bytes());
    value.extend_from_slice(&content.version.to_be_bytes());
    value.extend_from_slice(&content.at.to_be_bytes());
    value.extend(zstd::bulk::compress(&json, LEVEL).ok()?);
    let checksum = checksum(place.doc, &value[CHECKED_FROM..]);
    value[MAGIC.len()..CHECKED_FROM].copy_from_slice(&checksum);
    Some(value)
}

/// Reads what a value says of itself; `None` when it is not one of ours.
pub(in crate::storage) fn head(place: Place<'_>, value: &[u8]) -> Option<Head> {
    if value.len() < HEAD || !value.starts_with(&MAGIC) {
        return None;
    }
    let sound = value[MAGIC.len()..CHECKED_FROM] == checksum(place.doc, &value[CHECKED_FROM..]);
    let history = uuid::Uuid::from_slice(&value[CHECKED_FROM..CHECKED_FROM + 16]).ok()?;
    let version = number(&value[CHECKED_FROM + 16..])?;
    sound.then_some(Head { history: HistoryId(history), version })
}

/// Unpacks a value whose head was read, to at most `most` bytes of JSON; `None` when it cannot be.
pub(in crate::storage) fn decode(doc: &DocumentId, value: &[u8], most: u64) -> Option<Content> {
    let version = number(value.get(CHECKED_FROM + 16..)?)?;
    let at = number(value.get(CHECKED_FROM + 24..)?)? as Millis;
    let json = unpack(value.get(HEAD..)?, most).ok()?;
    match Document::from_json(std::str::from_utf8(&json).ok()?) {
        Ok(content) => Some(Content { version, at, content }),
        Err(error) => {
            tracing::warn!(document_id = %doc, version, %error, "what is held of a document is no content");
            None
        }
    }
}

/// The document's id is part of it, so that a value which has come under another key is of no use there.
pub(super) fn checksum(doc: &DocumentId, of: &[u8]) -> [u8; 8] {
    let mut hash = Xxh3::new();
    hash.update(doc.as_str().as_bytes());
    hash.update(&[0]);
    hash.update(of);
    hash.digest().to_be_bytes()
}

/// Reads the number at the beginning of `bytes`.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
