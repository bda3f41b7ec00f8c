//! One document's projection on its way from one version to another. No I/O, no clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::{DocumentId, HistoryId, Millis, UserId, Version};
use crate::ot::Document;
use crate::storage::cache::Content;
use crate::storage::history::{corrupt, read_delta};
use crate::storage::projections::{self, Activity, Change, ContentRow, HOUR, Point};
use crate::storage::{LoggedOp, StoreError};

/// UTF-16 code units from the beginning of a document whose words can be found. An index that has all words of documents of
/// 10 MB would cost more to keep than everything else.
const SEARCHED: u64 = 100_000;

/// Milliseconds of a minute, over which it is told who has written how much just now.
const MINUTE: Millis = 60_000;

/// What a user has written into a document in a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub doc: DocumentId,
    /// Minutes since the Unix epoch.
    pub minute: i64,
    pub user: UserId,
    pub ops: u64,
}

/// A document at a version, and what has led there from what is stored.
#[derive(Debug)]
pub struct Projected {
    doc: DocumentId,
    history: HistoryId,
    version: Version,
    at: Millis,
    content: Document,
    /// What is stored.
    before: Option<Point>,
    /// What is stored is of no use, or there is nothing.
    anew: bool,
    /// Operations and bytes since what is stored, by minute and user.
    written: BTreeMap<(i64, Arc<str>), (u64, u64)>,
}

impl Projected {
    /// Begins with an empty document; `before` is what is stored and to be replaced.
    pub fn begin(doc: DocumentId, history: HistoryId, before: Option<Point>) -> Self {
        Self {
            doc,
            history,
            version: 0,
            at: 0,
            content: Document::new(),
            before,
            anew: true,
            written: BTreeMap::new(),
        }
    }

    /// Goes on from a row, which is of `history` or of one that `history` has this version in common with.
    ///
    /// # Errors
    /// `Corrupt` when it cannot be read.
    pub fn resume(row: &ContentRow, history: HistoryId) -> Result<Self, StoreError> {
        let Content { version, at, content } = projections::unpack(row)?;
        let begun = Self::begin(row.doc.clone(), history, Some(row.point));
        Ok(Self { version, at, content, anew: false, ..begun })
    }

    /// Returns the document.
    pub fn doc(&self) -> &DocumentId {
        &self.doc
    }

    /// Returns the version that it has come to.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns its content there.
    pub fn content(&self) -> &Document {
        &self.content
    }

    /// Returns who has written how much since what is stored, by hour and user.
    pub fn activity(&self) -> Vec<Activity> {
        let mut hours: BTreeMap<(Millis, &Arc<str>), (u64, u64)> = BTreeMap::new();
        for ((minute, user), (ops, bytes)) in &self.written {
            let at = minute * MINUTE;
            let sum = hours.entry((at - at.rem_euclid(HOUR), user)).or_default();
            (sum.0, sum.1) = (sum.0 + ops, sum.1 + bytes);
        }
        let each = hours.into_iter();
        each.map(|((hour, user), (ops, bytes))| Activity { hour, user: UserId(user.clone()), ops, bytes })
            .collect()
    }

    /// The same by minute.
    pub fn written(&self) -> impl Iterator<Item = Written> {
        self.written.iter().map(|((minute, user), (ops, _))| Written {
            doc: self.doc.clone(),
            minute: *minute,
            user: UserId(user.clone()),
            ops: *ops,
        })
    }

    /// Applies the operation that makes the next version. One that is in it already changes nothing; tells whether it was new.
    ///
    /// # Errors
    /// `Corrupt`, with the version, when it cannot be read or applied, or others are missing before it. Nothing has changed then.
    pub fn apply(&mut self, op: &LoggedOp) -> Result<bool, StoreError> {
        if op.version <= self.version {
            return Ok(false);
        }
        if op.version > self.version + 1 {
            let why = format!("the log goes on at version {}", op.version);
            return Err(StoreError::Corrupt { doc: self.doc.clone(), version: self.version + 1, why });
        }
        let delta = read_delta(&self.doc, op)?;
        self.content.apply(&delta).map_err(|error| corrupt(&self.doc, op.version, &error))?;
        (self.version, self.at) = (op.version, op.at);
        let minute = op.at.div_euclid(MINUTE);
        let (ops, bytes) = self.written.entry((minute, op.user.0.clone())).or_default();
        *ops += 1;
        *bytes += op.delta.len() as u64;
        Ok(true)
    }

    /// Returns what is to be written; `None` when that is what is stored.
    ///
    /// # Errors
    /// `Corrupt` when the content is too large to be packed.
    pub fn into_change(self) -> Result<Option<Change>, StoreError> {
        let point = Point { history: self.history, version: self.version };
        if self.before == Some(point) && !self.anew || self.version == 0 && self.before.is_none() {
            return Ok(None);
        }
        let (activity, plain) =
            (self.activity(), projections::words_of(&self.content.leading_text(SEARCHED)));
        let content = Content { version: self.version, at: self.at, content: self.content };
        let body = projections::pack(&self.doc, self.history, &content)
            .ok_or_else(|| corrupt(&self.doc, self.version, &"it is too large to be packed"))?;
        let row = ContentRow { doc: self.doc, point, at: self.at, body, plain };
        Ok(Some(Change { row, before: self.before, anew: self.anew, activity }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ClientId;

    fn op(version: Version, user: &str, at: Millis) -> LoggedOp {
        LoggedOp {
            version,
            client: ClientId(uuid::Uuid::from_u128(1)),
            seq: version,
            user: UserId(user.into()),
            at,
            delta: format!(r#"[{{"insert":"{version} "}}]"#).into(),
        }
    }

    fn begun() -> Projected {
        Projected::begin("doc".parse().unwrap(), HistoryId(uuid::Uuid::from_u128(7)), None)
    }

    #[test]
    fn what_was_written_is_counted_by_hour_and_user_and_once() {
        let mut projected = begun();
        for (version, user, at) in [(1, "b", 5), (2, "a", HOUR - 1), (3, "a", HOUR), (4, "b", HOUR + 9)] {
            assert!(projected.apply(&op(version, user, at)).unwrap());
            assert!(!projected.apply(&op(version, user, at)).unwrap(), "it may come twice");
        }
        let one = |hour, user: &str| Activity { hour, user: UserId(user.into()), ops: 1, bytes: 17 };
        let expected = [one(0, "a"), one(0, "b"), one(HOUR, "a"), one(HOUR, "b")];
        assert_eq!(projected.activity(), expected);
        assert!(projected.written().map(|one| (one.minute, one.ops)).eq([(0, 1), (59, 1), (60, 1), (60, 1)]));
        assert_eq!(projected.content().text(), "4 3 2 1 ");
        let change = projected.into_change().unwrap().unwrap();
        assert_eq!((change.row.at, change.row.plain.as_str()), (HOUR + 9, "4 3 2 1"));
        assert_eq!((change.before, change.anew), (None, true));
    }

    #[test]
    fn a_gap_is_no_operation() {
        let mut projected = begun();
        projected.apply(&op(1, "a", 0)).unwrap();
        let gap = projected.apply(&op(3, "a", 0));
        assert!(matches!(gap, Err(StoreError::Corrupt { version: 2, .. })), "{gap:?}");
        assert_eq!(projected.version(), 1);
    }

    #[test]
    fn it_goes_on_from_what_was_written() {
        let mut projected = begun();
        projected.apply(&op(1, "a", 3)).unwrap();
        let first = projected.into_change().unwrap().unwrap();
        let mut resumed = Projected::resume(&first.row, first.row.point.history).unwrap();
        assert!(resumed.activity().is_empty());
        resumed.apply(&op(2, "a", 4)).unwrap();
        let second = resumed.into_change().unwrap().unwrap();
        assert_eq!((second.before, second.anew), (Some(first.row.point), false));
        assert_eq!(second.activity, [Activity { hour: 0, user: UserId("a".into()), ops: 1, bytes: 17 }]);
        let same = Projected::resume(&second.row, second.row.point.history).unwrap();
        assert_eq!(same.into_change().unwrap(), None, "there is nothing to be written");
        let renamed = HistoryId(uuid::Uuid::from_u128(8));
        let forked = Projected::resume(&second.row, renamed).unwrap().into_change().unwrap().unwrap();
        assert_eq!(forked.row.point, Point { history: renamed, version: 2 });
        assert!(
            begun().into_change().unwrap().is_none(),
            "nothing is stored of a document without operations"
        );
    }
}
