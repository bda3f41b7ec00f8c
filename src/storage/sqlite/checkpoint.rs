//! Checkpoints: pages move from the write-ahead log to the database file, beside the commits and not within them.

use super::Inner;
use super::error::store_error;
use crate::storage::StoreError;

/// Moves what no reader still needs, without waiting for anybody.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

impl Inner {
    /// Makes a checkpoint: most of it over a connection of its own, while commits go on; the few pages that they add
    /// meanwhile over the writer's, after which the log begins anew from its start.
    ///
    /// # Errors
    /// `Unavailable`; the log is whole and only grows.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let mut slot = self.checkpointer.lock().await;
        let mut conn = match slot.take() {
            Some(conn) => conn,
            None => self.database.checkpointer().await.map_err(store_error)?,
        };
        sqlx::query(CHECKPOINT).execute(&mut conn).await.map_err(store_error)?;
        *slot = Some(conn);

        let mut writer = self.writer().await?;
        let conn = writer.reading().map_err(store_error)?;
        sqlx::query(CHECKPOINT).execute(conn).await.map_err(store_error)?;
        Ok(())
    }
}
