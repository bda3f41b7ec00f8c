//! Who owns which shard. An epoch is raised under the lock that appends share, so that raising one waits for those before it,
//! and those after it see it.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::Row;

use super::PostgresStore;
use super::error::store_error;
use super::rows;
use super::sessions::{Session, statement};
use crate::ids::{Epoch, SHARDS, Shard};
use crate::storage::{OwnershipStore, StoreError};

const LOCK_SHARDS: &str = include_str!("sql/lock_shards.sql");
const LIST_OWNED: &str = "SELECT shard, epoch FROM shards WHERE node = $1 ORDER BY shard";
const RAISE_EPOCHS: &str = include_str!("sql/raise_epochs.sql");

/// Who has a shard, and since when.
pub(super) struct Owned {
    epoch: Epoch,
    node: String,
}

#[async_trait]
impl OwnershipStore for PostgresStore {
    async fn claim_all(&self, node: &str) -> Result<Box<[Epoch; SHARDS]>, StoreError> {
        let all: Vec<i16> = (0..SHARDS as i16).collect();
        let claim = async {
            let mut session = self.sessions.begin().await?;
            lock(&mut session, &all).await?;
            let raised = raise(&mut session, &all, node).await?;
            session.commit().await?;
            Ok(raised)
        };
        let raised = claim.await.map_err(store_error)?;
        let mut epochs = Box::new([0; SHARDS]);
        raised.into_iter().for_each(|(shard, epoch)| epochs[usize::from(shard)] = epoch);
        Ok(epochs)
    }

    async fn raise(&self, node: &str, shards: &[(Shard, Epoch)]) -> Result<Vec<Epoch>, StoreError> {
        let wanted: Vec<_> = shards.iter().map(|(shard, _)| i16::from(*shard)).collect();
        let mut session = self.sessions.begin().await.map_err(store_error)?;
        let owned = lock(&mut session, &wanted).await.map_err(store_error)?;
        for &(shard, believed) in shards {
            let held = owned.get(&shard).filter(|owned| owned.node == node && owned.epoch >= believed);
            if held.is_none() {
                let current = owned.get(&shard).map_or(0, |owned| owned.epoch);
                return Err(StoreError::Fenced { shard, current });
            }
        }
        let raised = raise(&mut session, &wanted, node).await.map_err(store_error)?;
        session.commit().await.map_err(store_error)?;
        Ok(shards.iter().filter_map(|(shard, _)| raised.get(shard).copied()).collect())
    }

    async fn owned(&self, node: &str) -> Result<Vec<(Shard, Epoch)>, StoreError> {
        let found = self.sessions.rows(statement(LIST_OWNED).bind(node)).await.map_err(store_error)?;
        let owned = found.iter().map(|row| Ok((rows::shard(row)?, rows::number(row, "epoch")?)));
        owned.collect::<Result<_, _>>().map_err(store_error)
    }
}

/// Locks shards, which waits for the appends before. They hold theirs for one statement, which has an end.
pub(super) async fn lock(
    session: &mut Session,
    shards: &[i16],
) -> Result<HashMap<Shard, Owned>, sqlx::Error> {
    let locked = session.rows(statement(LOCK_SHARDS).bind(shards)).await?;
    let owned = locked.iter().map(|row| {
        let owned = Owned { epoch: rows::number(row, "epoch")?, node: row.try_get("node")? };
        Ok((rows::shard(row)?, owned))
    });
    owned.collect()
}

pub(super) async fn raise(
    session: &mut Session,
    shards: &[i16],
    node: &str,
) -> Result<HashMap<Shard, Epoch>, sqlx::Error> {
    let raised = session.rows(statement(RAISE_EPOCHS).bind(shards).bind(node)).await?;
    raised.iter().map(|row| Ok((rows::shard(row)?, rows::number(row, "epoch")?))).collect()
}
