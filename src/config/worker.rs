//! Settings of `quire worker`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{DatabaseSettings, KafkaSettings, LogSettings, ObjectSettings, RedisSettings, address};
use crate::storage::Reading;

/// What `quire worker` is told.
#[derive(Args, Clone, Debug)]
pub struct WorkerOptions {
    /// Address at which the worker tells of itself: /metrics and /healthz; port 0 picks a free one.
    #[arg(
        long,
        env = "QUIRE_WORKER_LISTEN",
        default_value = "127.0.0.1:8081",
        value_name = "HOST:PORT",
        value_parser = address
    )]
    pub worker_listen: SocketAddr,

    /// The server's folder, where archived operations are read unless they are elsewhere.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,

    #[command(flatten)]
    pub database: DatabaseSettings,

    #[command(flatten)]
    pub objects: ObjectSettings,

    #[command(flatten)]
    pub redis: RedisSettings,

    #[command(flatten)]
    pub kafka: KafkaSettings,

    /// Consumer group whose members share out the work. Workers of different databases want different ones.
    #[arg(long, env = "QUIRE_WORKER_GROUP", default_value = "quire-projections", value_name = "NAME")]
    pub worker_group: String,

    #[command(flatten)]
    pub log: LogSettings,
}

impl WorkerOptions {
    /// Opens the database of the servers whose operations are in the stream.
    ///
    /// # Errors
    /// None is named, or it cannot be used.
    pub async fn reading(&self) -> anyhow::Result<Reading> {
        let postgres = self.database.postgres()?;
        let postgres =
            postgres.context("a worker wants the PostgreSQL database of its servers: --database-url")?;
        let storage = self.objects.storage(postgres.into())?;
        Ok(Reading::from(&self.data, storage).await?)
    }
}
