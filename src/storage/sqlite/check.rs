//! The database as a whole: what no single document's log can tell.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::error::store_error;
use crate::storage::StoreError;

const CHECK_STRAYS: &str = include_str!("sql/check_strays.sql");
const CHECK_CLIENTS: &str = include_str!("sql/check_clients.sql");
const CHECK_POSITIONS: &str = include_str!("sql/check_positions.sql");

impl SqliteStore {
    /// Checks the pages and indexes of the file; that whatever is held of a document is held of one that exists; that no
    /// client is known of whom the log has nothing; and that no position of a shard's log is missing. Answers a sentence
    /// for each complaint, at most a hundred of a kind.
    ///
    /// To be called before anything is appended: it looks at what has been settled.
    ///
    /// # Errors
    /// `Unavailable` when the check itself cannot be made.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut complaints = self.complaints("PRAGMA integrity_check", damage).await?;
        // Queries on a damaged file may answer anything.
        if complaints.is_empty() {
            complaints.extend(self.complaints(CHECK_STRAYS, stray).await?);
            complaints.extend(self.complaints(CHECK_CLIENTS, unknown_client).await?);
            complaints.extend(self.complaints(CHECK_POSITIONS, missing_positions).await?);
        }
        Ok(complaints)
    }

    async fn complaints(
        &self,
        query: &'static str,
        sentence: fn(&SqliteRow) -> Result<Option<String>, sqlx::Error>,
    ) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(query).fetch_all(&self.inner.readers).await.map_err(store_error)?;
        let sentences: Result<Vec<_>, _> = rows.iter().map(sentence).collect();
        Ok(sentences.map_err(store_error)?.into_iter().flatten().collect())
    }
}

fn damage(row: &SqliteRow) -> Result<Option<String>, sqlx::Error> {
    let line: String = row.try_get(0)?;
    Ok((line != "ok").then(|| format!("the database is damaged: {line}")))
}

fn stray(row: &SqliteRow) -> Result<Option<String>, sqlx::Error> {
    let (doc, place): (String, String) = (row.try_get("doc_id")?, row.try_get("place")?);
    Ok(Some(format!("document {doc} does not exist, but there are {place} of it")))
}

fn unknown_client(row: &SqliteRow) -> Result<Option<String>, sqlx::Error> {
    let (doc, client): (String, String) = (row.try_get("doc_id")?, row.try_get("client")?);
    let version: i64 = row.try_get("last_version")?;
    Ok(Some(format!("document {doc}: client {client} made version {version}, but the log has nothing of it")))
}

fn missing_positions(row: &SqliteRow) -> Result<Option<String>, sqlx::Error> {
    let shard: i64 = row.try_get("shard")?;
    let (operations, last): (i64, i64) = (row.try_get("operations")?, row.try_get("last")?);
    Ok(Some(format!("shard {shard}: the log has {operations} operations, but positions up to {last}")))
}
