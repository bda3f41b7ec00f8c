//! What an error of SQLite means to a caller, in one place.

use sqlx::error::ErrorKind;

use crate::ids::{DocumentId, Version};
use crate::storage::{AppendError, StoreError};

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const NOMEM: u32 = 7;
const READONLY: u32 = 8;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;

/// Turns a failure into what the caller can do about it. Constraints are checked before anything is written, so that one
/// which fails all the same is a conflict that no caller foresaw.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
        Some(ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation | ErrorKind::CheckViolation) => {
            StoreError::Conflict { what: error.to_string() }
        }
        _ => StoreError::unavailable(error),
    }
}

/// The same for a read of one document: a damaged page, or a value of a wrong type, names the document and where its
/// reading had come to.
pub(super) fn read_error(doc: &DocumentId, version: Version, error: sqlx::Error) -> StoreError {
    let damaged = matches!(code(&error), Some(CORRUPT | NOTADB));
    let undecodable = matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
    if damaged || undecodable {
        return StoreError::Corrupt { doc: doc.clone(), version, why: error.to_string() };
    }
    store_error(error)
}

/// Tells how a transaction of operations ended that reported `error` from its COMMIT, or from a statement that is a
/// transaction of its own.
///
/// SQLite rolls back before it reports these codes, and has written no commit record. After any other (an I/O error of
/// the fsync, say) the record may be in the file, and be found there after a crash.
pub(super) fn commit_error(error: sqlx::Error) -> AppendError {
    let rolled_back = matches!(code(&error), Some(BUSY | LOCKED | NOMEM | READONLY | FULL | CANTOPEN));
    if rolled_back {
        AppendError::Refused(store_error(error))
    } else {
        AppendError::Unknown(store_error(error))
    }
}

/// The primary code: the low byte of an extended one.
fn code(error: &sqlx::Error) -> Option<u32> {
    let extended: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error as StdError;
    use std::fmt;

    use sqlx::error::DatabaseError;

    use super::*;

    /// An error that SQLite reports with this code.
    #[derive(Debug)]
    struct Reported(u32);

    impl fmt::Display for Reported {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "code {}", self.0)
        }
    }

    impl StdError for Reported {}

    impl DatabaseError for Reported {
        fn message(&self) -> &'static str {
            ""
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            if self.0 == 2067 { ErrorKind::UniqueViolation } else { ErrorKind::Other }
        }
    }

    fn reported(code: u32) -> sqlx::Error {
        sqlx::Error::Database(Box::new(Reported(code)))
    }

    #[test]
    fn a_commit_is_refused_only_where_sqlite_has_rolled_it_back_for_certain() {
        // Primary codes, and extended ones of theirs: BUSY_SNAPSHOT, LOCKED_SHAREDCACHE, READONLY_DBMOVED, CANTOPEN_ISDIR.
        for code in [BUSY, LOCKED, NOMEM, READONLY, FULL, CANTOPEN, 517, 262, 1032, 526] {
            assert!(matches!(commit_error(reported(code)), AppendError::Refused(_)), "{code}");
        }
        // IOERR and those of writing, syncing and truncating; CORRUPT, NOTADB, INTERRUPT, CONSTRAINT_UNIQUE.
        for code in [10, 778, 1034, 1546, CORRUPT, NOTADB, 9, 2067] {
            assert!(matches!(commit_error(reported(code)), AppendError::Unknown(_)), "{code}");
        }
        for error in [sqlx::Error::WorkerCrashed, sqlx::Error::Io(std::io::Error::other("gone"))] {
            assert!(matches!(commit_error(error), AppendError::Unknown(_)));
        }
    }

    #[test]
    fn damage_is_told_from_a_disk_that_does_not_answer() {
        let doc = "doc".parse().unwrap();
        let column = || sqlx::Error::ColumnDecode { index: "at".into(), source: "no number".into() };
        for error in [reported(CORRUPT), reported(267), reported(NOTADB), column()] {
            assert!(matches!(read_error(&doc, 7, error), StoreError::Corrupt { version: 7, .. }));
        }
        for error in [reported(10), reported(BUSY), sqlx::Error::PoolTimedOut] {
            assert!(read_error(&doc, 7, error).is_transient());
        }
        assert!(matches!(store_error(reported(2067)), StoreError::Conflict { .. }));
    }
}
