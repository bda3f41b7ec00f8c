//! The database as a whole: what no single document's log can tell.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::error::store_error;
use super::rows;
use super::sessions::statement;
use crate::storage::StoreError;

const CHECK_STRAYS: &str = include_str!("sql/check_strays.sql");
const CHECK_CLIENTS: &str = include_str!("sql/check_clients.sql");
const CHECK_POSITIONS: &str = include_str!("sql/check_positions.sql");

impl PostgresStore {
    /// Checks that whatever is held of a document is held of one that exists; that no client is known of whom the log has
    /// nothing; and that no position of a shard's log is missing. Answers a sentence for each complaint, at most a hundred
    /// of a kind. Pages and indexes are `pg_amcheck`'s affair.
    ///
    /// # Errors
    /// `Unavailable` when the check itself cannot be made.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut complaints = self.complaints(CHECK_STRAYS, stray).await?;
        complaints.extend(self.complaints(CHECK_CLIENTS, unknown_client).await?);
        complaints.extend(self.complaints(CHECK_POSITIONS, missing_positions).await?);
        Ok(complaints)
    }

    async fn complaints(
        &self,
        query: &'static str,
        sentence: fn(&PgRow) -> Result<String, sqlx::Error>,
    ) -> Result<Vec<String>, StoreError> {
        let found = self.sessions.rows(statement(query)).await.map_err(store_error)?;
        found.iter().map(sentence).collect::<Result<_, _>>().map_err(store_error)
    }
}

fn stray(row: &PgRow) -> Result<String, sqlx::Error> {
    let (doc, place): (&str, &str) = (row.try_get("doc_id")?, row.try_get("place")?);
    Ok(format!("document {doc} does not exist, but there are {place} of it"))
}

fn unknown_client(row: &PgRow) -> Result<String, sqlx::Error> {
    let (doc, client): (&str, _) = (row.try_get("doc_id")?, rows::client_id(row, "client_id")?);
    let version: i64 = row.try_get("last_version")?;
    Ok(format!("document {doc}: client {client} made version {version}, but the log has nothing of it"))
}

fn missing_positions(row: &PgRow) -> Result<String, sqlx::Error> {
    let shard = rows::shard(row)?;
    let (operations, last): (i64, i64) = (row.try_get("operations")?, row.try_get("last")?);
    Ok(format!("shard {shard}: the log has {operations} operations, but positions up to {last}"))
}
