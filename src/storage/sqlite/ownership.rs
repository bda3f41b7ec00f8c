//! Who owns which shard. Appends hold the writer while they check epochs and write, so that raising one waits for those
//! before it, and those after it see it.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::bulk::integer;
use super::error::store_error;
use super::recent::Recent;
use super::writer::WriterGuard;
use super::{Inner, SqliteStore};
use crate::ids::{Epoch, SHARDS, Shard};
use crate::storage::{OwnershipStore, StoreError};

#[async_trait]
impl OwnershipStore for SqliteStore {
    async fn claim_all(&self, node: &str) -> Result<Box<[Epoch; SHARDS]>, StoreError> {
        let node = node.to_owned();
        self.inner.detached(move |inner, writer| inner.claim_all(writer, node)).await
    }

    async fn raise(&self, node: &str, shards: &[(Shard, Epoch)]) -> Result<Vec<Epoch>, StoreError> {
        let (node, shards) = (node.to_owned(), shards.to_vec());
        self.inner.detached(move |inner, writer| inner.raise(writer, node, shards)).await
    }

    async fn owned(&self, node: &str) -> Result<Vec<(Shard, Epoch)>, StoreError> {
        let recent = self.inner.recent.lock();
        let owned = (0..=Shard::MAX).zip(&recent.shards).filter(|(_, shard)| shard.node == node);
        Ok(owned.map(|(shard, state)| (shard, state.epoch)).collect())
    }
}

impl Inner {
    async fn claim_all(
        self: Arc<Self>,
        mut writer: WriterGuard,
        node: String,
    ) -> Result<Box<[Epoch; SHARDS]>, StoreError> {
        let conn = writer.begin().await?;
        let claimed =
            sqlx::query("UPDATE shards SET epoch = epoch + 1, node = ?1").bind(&node).execute(conn).await;
        writer.end(claimed.map_err(store_error)).await?;
        let mut recent = self.recent.lock();
        for shard in &mut recent.shards {
            shard.epoch += 1;
            node.clone_into(&mut shard.node);
        }
        Ok(Box::new(std::array::from_fn(|shard| recent.shards[shard].epoch)))
    }

    async fn raise(
        self: Arc<Self>,
        mut writer: WriterGuard,
        node: String,
        shards: Vec<(Shard, Epoch)>,
    ) -> Result<Vec<Epoch>, StoreError> {
        let raised = raised(&self.recent.lock(), &node, &shards)?;
        let conn = writer.begin().await?;
        let set = set_epochs(conn, &raised).await.map_err(store_error);
        writer.end(set).await?;
        let mut recent = self.recent.lock();
        for &(shard, epoch) in &raised {
            recent.shards[usize::from(shard)].epoch = epoch;
        }
        Ok(raised.into_iter().map(|(_, epoch)| epoch).collect())
    }
}

/// Returns the epochs to come. Memory says what the database holds: no other process writes to it, and the writer is
/// locked.
fn raised(recent: &Recent, node: &str, shards: &[(Shard, Epoch)]) -> Result<Vec<(Shard, Epoch)>, StoreError> {
    let raised = shards.iter().map(|&(shard, believed)| {
        let owned = recent.shard(shard);
        if owned.node != node || owned.epoch < believed {
            return Err(StoreError::Fenced { shard, current: owned.epoch });
        }
        Ok((shard, owned.epoch + 1))
    });
    raised.collect()
}

async fn set_epochs(conn: &mut SqliteConnection, shards: &[(Shard, Epoch)]) -> Result<(), sqlx::Error> {
    for &(shard, epoch) in shards {
        sqlx::query("UPDATE shards SET epoch = ?2 WHERE shard = ?1")
            .bind(i64::from(shard))
            .bind(integer(epoch))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
