//! Identifiers, parsed once at the edge and trusted afterwards.
//!
//! Everything below this module (`ot`) knows none of them; everything above uses no other.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// A version of a document: the number of operations committed so far. A document begins at 0.
pub type Version = u64;

/// The fencing number of a shard: raised by whoever takes the shard over, checked by every append.
pub type Epoch = u64;

/// A point in time, in milliseconds since the Unix epoch.
pub type Millis = i64;

/// How many shards there are, for ever: see [`DocumentId::shard`].
pub const SHARDS: usize = 256;

/// The unit of ownership, partitioning and log position: `0..=255`.
pub type Shard = u8;

/// The name of a document: 1 to 128 of `A-Z a-z 0-9 . _ ~ -`, neither `.` nor `..` (protocol, section 7).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct DocumentId(Arc<str>);

/// What is wrong with a text that should be a [`DocumentId`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a document id is 1 to 128 of A-Z a-z 0-9 . _ ~ - and neither '.' nor '..'")]
pub struct InvalidDocumentId;

impl DocumentId {
    /// Makes a fresh id: a version 7 UUID, so that new documents lie side by side in an index.
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// Returns the shard of the document: `xxh3-64(seed 0, UTF-8 bytes of the id) mod 256`, fixed for ever.
    pub fn shard(&self) -> Shard {
        (xxh3_64(self.0.as_bytes()) % SHARDS as u64) as Shard
    }

    /// Returns which turn of the document's own a moment or a version falls into, when there is one every `period`. Documents
    /// change turns at different moments: what each does once a turn never comes from thousands of them at once.
    pub fn turn(&self, moment: u64, period: u64) -> u64 {
        let period = period.max(1);
        (moment + (xxh3_64(self.0.as_bytes()) >> 8) % period) / period
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentId {
    type Err = InvalidDocumentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-');
        let well_formed = (1..=128).contains(&text.len()) && text.bytes().all(allowed);
        if !well_formed || text == "." || text == ".." {
            return Err(InvalidDocumentId);
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for DocumentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Borrow<str> for DocumentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One replica of a document: a UUID that the client draws and keeps with its offline queue.
///
/// It is no secret. Written and compared in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub Uuid);

impl ClientId {
    /// Makes a fresh id for operations that the server itself is the author of.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }
}

impl FromStr for ClientId {
    type Err = uuid::Error;

    /// Takes the hyphenated form only, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<uuid::fmt::Hyphenated>()?.into_uuid()))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one history of a document: made with it, and anew by a restore from backup or a fork.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HistoryId(pub Uuid);

impl HistoryId {
    /// Makes a fresh one.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The opaque internal id of a user: `guest:<client>` for guests.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub Arc<str>);

impl UserId {
    /// The user of a guest's replica.
    pub fn guest(client: ClientId) -> Self {
        Self(format!("guest:{client}").into())
    }

    /// The user of a guest who calls REST without a token.
    pub fn guest_rest() -> Self {
        Self("guest:rest".into())
    }

    /// Tells whether this user has no account.
    pub fn is_guest(&self) -> bool {
        self.0.starts_with("guest:")
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One WebSocket connection, unique within a run of the server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_ids_are_checked_at_the_edge() {
        for good in ["a", "A-Z_0.9~", "...", &"x".repeat(128)] {
            assert!(good.parse::<DocumentId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "ä", "a b", "%2e", &"x".repeat(129)] {
            assert_eq!(bad.parse::<DocumentId>(), Err(InvalidDocumentId), "{bad}");
        }
    }

    #[test]
    fn a_turn_lasts_its_period_and_begins_at_different_moments() {
        let ids: Vec<DocumentId> = (0..1_000).map(|_| DocumentId::generate()).collect();
        let mut begun = [0; 100];
        for id in &ids {
            let begins: Vec<u64> = (1..=300).filter(|at| id.turn(*at, 100) != id.turn(at - 1, 100)).collect();
            assert!(matches!(begins[..], [a, b, c] if b - a == 100 && c - b == 100), "{begins:?}");
            begun[begins[0] as usize % 100] += 1;
        }
        assert!(begun.iter().all(|together| *together < 40), "{begun:?}");
    }

    /// The same vectors hold for every language that has to find a shard.
    #[test]
    fn shards_are_fixed_for_ever() {
        let shard = |id: &str| id.parse::<DocumentId>().unwrap().shard();
        assert_eq!(shard("a"), 31);
        assert_eq!(shard("welcome"), 82);
        assert_eq!(shard("01890a5d-ac96-774b-bcce-b302099a8057"), 0);
    }

    #[test]
    fn client_ids_are_one_whichever_case_they_are_written_in() {
        let upper: ClientId = "ABCDEF00-0000-4000-8000-00000000000A".parse().unwrap();
        assert_eq!(upper.to_string(), "abcdef00-0000-4000-8000-00000000000a");
        assert!("abcdef0000004000800000000000000a".parse::<ClientId>().is_err());
    }
}
