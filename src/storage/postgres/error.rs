//! What an error of PostgreSQL means to a caller, in one place.

use sqlx::error::ErrorKind;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::ids::{DocumentId, Version};
use crate::storage::{AppendError, StoreError};

/// SQLSTATEs, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const UNIQUE_VIOLATION: &str = "23505";
const READ_ONLY: &str = "25006";
const DATA_CORRUPTED: &str = "XX001";
const INDEX_CORRUPTED: &str = "XX002";

/// The routine of PostgreSQL that compares what is written with the policies. Its SQLSTATE is also that of a privilege which is missing,
/// and that is the operator's affair.
const POLICIES: &str = "ExecWithCheckOptions";

/// Turns a failure into what the caller can do about it.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
        Some(ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation | ErrorKind::CheckViolation) => {
            StoreError::Conflict { what: error.to_string() }
        }
        _ if reported(&error).and_then(PgDatabaseError::routine) == Some(POLICIES) => {
            // Access that was lost since it was checked, or a check that allows more than the policies. Which table it was is told to the
            // operator, and not to the caller.
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "row-level security refuses what was allowed before");
            StoreError::Denied
        }
        _ => StoreError::unavailable(error),
    }
}

/// The same for a read of one document: a damaged page, or a value of a wrong type, names the document and where its
/// reading had come to.
pub(super) fn read_error(doc: &DocumentId, version: Version, error: sqlx::Error) -> StoreError {
    let damaged =
        reported(&error).is_some_and(|error| [DATA_CORRUPTED, INDEX_CORRUPTED].contains(&error.code()));
    let undecodable = matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
    if damaged || undecodable {
        return StoreError::Corrupt { doc: doc.clone(), version, why: error.to_string() };
    }
    store_error(error)
}

/// How a statement that is a transaction by itself has failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// A key is taken: nothing was written.
    Taken,
    /// Nothing was written; tells whether the connection may be used again.
    RolledBack(AppendError, Connection),
    /// Nobody has said.
    Unknown(AppendError),
}

/// What to do with the connection over which something has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Keep,
    Drop,
}

/// Tells how an append ended that reported `error`.
///
/// The server sends an ERROR only for a transaction that it has rolled back: what it has to say about one that it has
/// committed are warnings. FATAL and PANIC are said of the connection, perhaps just after the commit, and any other
/// failure is of the connection too; after those the batch may be there, or still come to be.
pub(super) fn append_failure(error: sqlx::Error) -> Failure {
    let Some(reported) = reported(&error) else {
        return match error {
            // Before anything was sent.
            sqlx::Error::Encode(_) => {
                Failure::RolledBack(AppendError::Refused(store_error(error)), Connection::Keep)
            }
            _ => Failure::Unknown(AppendError::Unknown(store_error(error))),
        };
    };
    match (reported.severity(), reported.code()) {
        (PgSeverity::Error, UNIQUE_VIOLATION) => Failure::Taken,
        // A primary that has become a standby: the next connection may find the new primary.
        (PgSeverity::Error, READ_ONLY) => {
            Failure::RolledBack(AppendError::Refused(store_error(error)), Connection::Drop)
        }
        (PgSeverity::Error, _) => {
            // Not a conflict: what could be one was looked at before, and no caller has foreseen it.
            let refused = AppendError::Refused(StoreError::unavailable(error));
            Failure::RolledBack(refused, Connection::Keep)
        }
        _ => Failure::Unknown(AppendError::Unknown(store_error(error))),
    }
}

fn reported(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}
