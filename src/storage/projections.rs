//! What is made of the log for those who ask about documents: their content, the words in it, and who has written how much.
//!
//! All of it can be made again at any time (`crate::projections` does). What makes it exact though operations may come twice, and
//! through more hands than one, is that a document's row says which of its operations are in it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::StoreError;
use super::cache::{Content, Place, content};
use crate::ids::{DocumentId, HistoryId, Millis, Shard, UserId, Version};

/// The name of the reader whose watermarks say how far projections have come.
pub const READER: &str = "projections";

/// Milliseconds over which activity is added up.
pub const HOUR: Millis = 3_600_000;

/// Bytes of JSON that a stored content may unpack to, as for a snapshot.
const MOST_JSON: u64 = 512 << 20;

/// A version of a history: all that content depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub history: HistoryId,
    pub version: Version,
}

/// Where a document stands, and where its row does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub doc: DocumentId,
    /// The history that the document has now.
    pub history: HistoryId,
    /// What its row holds, if it has one …
    pub row: Option<Point>,
    /// … and the bytes of its body, else 0.
    pub bytes: u64,
    /// Nothing is left of it but its name.
    pub purged: bool,
}

/// The row of a document: its content, packed by [`pack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRow {
    pub doc: DocumentId,
    pub point: Point,
    /// `at` of the operation that made the version.
    pub at: Millis,
    pub body: Bytes,
    /// The words of its beginning, see [`words_of`]: they are searched.
    pub plain: String,
}

/// What a user has written into a document in an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Unix ms of the hour's beginning.
    pub hour: Millis,
    pub user: UserId,
    pub ops: u64,
    /// Bytes of the deltas as JSON.
    pub bytes: u64,
}

/// A change of one document's projections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub row: ContentRow,
    /// What the document's row must hold now; `None` for no row.
    pub before: Option<Point>,
    /// Whether the activity replaces what is there instead of being added to it.
    pub anew: bool,
    /// By hour and user, each pair once.
    pub activity: Vec<Activity>,
}

/// A shard's watermark from one position to another one, or to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub shard: Shard,
    pub from: u64,
    pub to: u64,
}

impl Activity {
    /// Reads what a database has put together as `[[hour, user, ops, bytes], …]`, and orders it by hour and user.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn all_from_json(json: &str) -> serde_json::Result<Vec<Self>> {
        let read: Vec<(Millis, UserId, u64, u64)> = serde_json::from_str(json)?;
        let all = read.into_iter().map(|(hour, user, ops, bytes)| Self { hour, user, ops, bytes });
        let mut all: Vec<_> = all.collect();
        all.sort_by(|a, b| (a.hour, &a.user.0).cmp(&(b.hour, &b.user.0)));
        Ok(all)
    }
}

impl Change {
    /// The row is not what the change follows on.
    pub(super) fn conflict(&self) -> StoreError {
        StoreError::Conflict {
            what: format!("the projected content of document {} is another", self.row.doc),
        }
    }
}

impl Move {
    /// The watermark is not where it is to be moved from.
    pub(super) fn conflict(&self) -> StoreError {
        let Self { shard, from, .. } = self;
        StoreError::Conflict {
            what: format!(
                "projections of shard {shard} have come to another position than {from}, or would go beyond the log"
            ),
        }
    }
}

/// The rows of projections.
#[async_trait]
pub trait Projections: Send + Sync {
    /// Tells where documents stand. Those that do not exist are left out.
    async fn standings(&self, docs: &[DocumentId]) -> Result<Vec<Standing>, StoreError>;

    /// Reads the rows of documents. Those that have none are left out.
    async fn contents(&self, docs: &[DocumentId]) -> Result<Vec<ContentRow>, StoreError>;

    /// Reads a document's row and its activity, by hour and user, as both are at one moment.
    async fn projection(&self, doc: &DocumentId) -> Result<Option<(ContentRow, Vec<Activity>)>, StoreError>;

    /// Writes changes and moves watermarks ([`READER`]), in one transaction. Each shard of a changed document is among `moves`,
    /// and each shard and document is named once. Changes of documents that were purged are left out.
    ///
    /// # Errors
    /// `Conflict`, with nothing written, when a watermark is not where it is to be moved from, or a row is not what a change
    /// follows on: somebody else has been here. A database that is led by a stream (PostgreSQL)
    /// refuses likewise to move a watermark beyond the end of its log.
    async fn project(&self, moves: &[Move], changes: &[Change]) -> Result<(), StoreError>;

    /// Finds documents, those in the trash left out, that have all of these words in the beginning of their text, at most
    /// `limit`, in order of id. Case does not matter; what stands between words does not either. No words find nothing.
    async fn find_words(&self, words: &str, limit: usize) -> Result<Vec<DocumentId>, StoreError>;
}

/// As it is shared.
pub type SharedProjections = Arc<dyn Projections>;

/// Packs content for a row, and equally for Redis. `None` when it is too large for that.
pub fn pack(doc: &DocumentId, history: HistoryId, content: &Content) -> Option<Bytes> {
    content::encode(Place { doc, history }, content, MOST_JSON).map(Bytes::from)
}

/// Unpacks the content of a row.
///
/// # Errors
/// `Corrupt` when it is not what was packed, or not what its row says of it.
pub fn unpack(row: &ContentRow) -> Result<Content, StoreError> {
    let place = Place { doc: &row.doc, history: row.point.history };
    let head = content::head(place, &row.body);
    let fits =
        head.is_some_and(|head| head.history == row.point.history && head.version == row.point.version);
    let read = fits.then(|| content::decode(&row.doc, &row.body, MOST_JSON)).flatten();
    read.ok_or_else(|| StoreError::Corrupt {
        doc: row.doc.clone(),
        version: row.point.version,
        why: "its projected content is damaged".to_owned(),
    })
}

/// Returns the words of a text in lower case, with a space between them. Whatever else stands between words is gone, so that
/// every database sees the same words, and so does whoever looks for them.
pub fn words_of(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::Document;

    #[test]
    fn words_are_what_is_between_everything_else() {
        assert_eq!(words_of("Über-Öl,\u{fffc}3 A\0b\n\n"), "über öl 3 a b");
        assert_eq!(words_of(" -- "), "");
    }

    #[test]
    fn a_row_is_read_as_what_it_says_it_is_or_not_at_all() {
        let (doc, history) = ("doc".parse().unwrap(), HistoryId::generate());
        let content =
            Content { version: 7, at: 9, content: Document::from_json(r#"[{"insert":"x"}]"#).unwrap() };
        let body = pack(&doc, history, &content).unwrap();
        let row =
            ContentRow { doc, point: Point { history, version: 7 }, at: 9, body, plain: "x".to_owned() };
        assert_eq!(unpack(&row).unwrap().content.text(), "x");
        let others = [
            ContentRow { doc: "other".parse().unwrap(), ..row.clone() },
            ContentRow { point: Point { version: 8, ..row.point }, ..row.clone() },
            ContentRow { point: Point { history: HistoryId::generate(), ..row.point }, ..row.clone() },
            ContentRow { body: row.body.slice(..row.body.len() - 1), ..row.clone() },
            ContentRow { body: Bytes::new(), ..row },
        ];
        for other in others {
            assert!(matches!(unpack(&other), Err(StoreError::Corrupt { .. })), "{other:?}");
        }
    }
}
