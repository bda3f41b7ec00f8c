//! The servers of this database.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::store_error;
use super::ownership::{lock, raise};
use super::sessions::statement;
use super::{PostgresStore, ledger, rows};
use crate::ids::{SHARDS, Shard};
use crate::storage::StoreError;
use crate::storage::cluster::{ClusterStore, Holder, Member, SECRET_BYTES, SharedSecret, Standing, Taken};

const KEEP_SECRET: &str =
    "INSERT INTO node_secret (one, secret) VALUES (TRUE, $1) ON CONFLICT (one) DO NOTHING";
const READ_SECRET: &str = include_str!("sql/read_secret.sql");
const EXCHANGE_SECRET: &str = include_str!("sql/exchange_secret.sql");
const RENEW: &str = include_str!("sql/renew_node.sql");
const FORGET_SILENT: &str = "DELETE FROM nodes WHERE seen_at < clock_timestamp() - interval '1 hour'";
const RELEASE: &str = include_str!("sql/release_shards.sql");
const LEAVE: &str = "DELETE FROM nodes WHERE node = $1";
const LIST_NODES: &str = include_str!("sql/list_nodes.sql");
const LIST_HOLDERS: &str = include_str!("sql/list_holders.sql");
const PIN: &str = include_str!("sql/pin_shard.sql");
const UNPIN: &str = "DELETE FROM pins WHERE shard = $1";
const MAY_TAKE: &str = "SELECT 1 FROM nodes
    WHERE node = $1 AND NOT draining AND seen_at > clock_timestamp() - interval '10 seconds'";

#[async_trait]
impl ClusterStore for PostgresStore {
    async fn shared_secret(&self, fresh: &[u8; SECRET_BYTES]) -> Result<SharedSecret, StoreError> {
        self.sessions.run(statement(KEEP_SECRET).bind(fresh.to_vec())).await.map_err(store_error)?;
        self.secret().await
    }

    async fn exchange_secret(&self, fresh: &[u8; SECRET_BYTES]) -> Result<bool, StoreError> {
        let exchanged = self.sessions.run(statement(EXCHANGE_SECRET).bind(fresh.to_vec())).await;
        exchanged.map(|rows| rows > 0).map_err(store_error)
    }

    async fn secret(&self) -> Result<SharedSecret, StoreError> {
        let row = self.sessions.row(statement(READ_SECRET)).await.map_err(store_error)?;
        let row = row.ok_or_else(|| StoreError::NotFound { what: "the secret of the servers".to_owned() })?;
        secret(&row).map_err(store_error)
    }

    async fn renew(&self, node: &str, url: &str, draining: bool) -> Result<(), StoreError> {
        let renew = async {
            self.sessions.run(statement(RENEW).bind(node).bind(url).bind(draining)).await?;
            self.sessions.run(statement(FORGET_SILENT)).await
        };
        renew.await.map(|_| ()).map_err(store_error)
    }

    async fn leave(&self, node: &str) -> Result<(), StoreError> {
        let leave = async {
            self.sessions.run(statement(RELEASE).bind(node)).await?;
            self.sessions.run(statement(LEAVE).bind(node)).await
        };
        leave.await.map(|_| ()).map_err(store_error)
    }

    async fn standing(&self) -> Result<Standing, StoreError> {
        let read = async {
            let members = self.sessions.rows(statement(LIST_NODES)).await?;
            let holders = self.sessions.rows(statement(LIST_HOLDERS)).await?;
            if holders.len() != SHARDS {
                return Err(sqlx::Error::Protocol(format!("there are {} shards", holders.len())));
            }
            Ok(Standing {
                members: members.iter().map(member).collect::<Result<_, _>>()?,
                holders: holders.iter().map(holder).collect::<Result<_, _>>()?,
            })
        };
        read.await.map_err(store_error)
    }

    async fn claim(&self, node: &str, shards: &[Shard]) -> Result<Vec<Taken>, StoreError> {
        let wanted: Vec<_> = shards.iter().copied().map(i16::from).collect();
        let claim = async {
            let mut session = self.sessions.begin().await?;
            lock(&mut session, &wanted).await?;
            if session.row(statement(MAY_TAKE).bind(node)).await?.is_none() {
                session.commit().await?;
                return Ok(Vec::new());
            }
            let raised = raise(&mut session, &wanted, node).await?;
            session.commit().await?;
            // Nobody else has appended under these epochs.
            let ends = ledger::shards(&self.sessions).await?;
            let taken = raised.into_iter().map(|(shard, epoch)| {
                let (_, position) = ends[usize::from(shard)];
                Taken { shard, epoch, position }
            });
            Ok(taken.collect())
        };
        claim.await.map_err(store_error)
    }

    async fn pin(&self, shard: Shard, node: &str) -> Result<(), StoreError> {
        let pin = statement(PIN).bind(i16::from(shard)).bind(node);
        if self.sessions.run(pin).await.map_err(store_error)? == 0 {
            return Err(StoreError::NotFound { what: format!("server {node}") });
        }
        Ok(())
    }

    async fn unpin(&self, shard: Shard) -> Result<(), StoreError> {
        let unpin = statement(UNPIN).bind(i16::from(shard));
        self.sessions.run(unpin).await.map(|_| ()).map_err(store_error)
    }
}

fn secret(row: &PgRow) -> Result<SharedSecret, sqlx::Error> {
    Ok(SharedSecret {
        current: row.try_get("secret")?,
        previous: row.try_get("previous")?,
        exchanged_for: row.try_get("exchanged_for")?,
    })
}

fn member(row: &PgRow) -> Result<Member, sqlx::Error> {
    Ok(Member {
        node: row.try_get("node")?,
        url: row.try_get("url")?,
        started_at: row.try_get("started_at")?,
        silent_for: row.try_get("silent_for")?,
        draining: row.try_get("draining")?,
    })
}

fn holder(row: &PgRow) -> Result<Holder, sqlx::Error> {
    rows::shard(row)?;
    Ok(Holder { node: row.try_get("node")?, pinned: row.try_get("pinned")? })
}
