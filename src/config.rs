//! Configuration: one struct per concern, from flags over `QUIRE_…` variables over a file. Everything has a default that
//! works. A flag with a variable is a key of the file by that alone: see [`layers`].

mod accounts;
mod archive;
mod audit;
mod cluster;
mod encryption;
mod events;
pub mod file;
mod kafka;
pub mod layers;
mod limits;
mod log;
mod objects;
mod oidc;
mod projections;
mod redis;
mod sharing;
mod tls;
mod traces;
mod worker;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use self::accounts::{AccountSettings, Registration};
pub use self::archive::ArchiveSettings;
pub use self::audit::{AuditSettings, chain as audit_chain};
pub use self::cluster::{ClusterSettings, NodeSettingsError, NotShared};
pub use self::encryption::{Encryption, EncryptionSettings};
pub use self::events::EventSettings;
pub use self::file::ConfigFile;
pub use self::kafka::{KafkaSettings, KafkaSettingsError};
pub use self::layers::{Layers, check_variables, is_secret, lay};
pub use self::limits::LimitSettings;
pub use self::log::{LogFormat, LogSettings};
pub use self::objects::ObjectSettings;
pub use self::oidc::{OidcSettings, providers, with_providers};
pub use self::projections::ProjectionSettings;
pub use self::redis::{RedisSettings, RedisSettingsError};
pub use self::sharing::{LinkRole, SharingSettings};
pub use self::tls::TlsSettings;
pub use self::traces::TraceSettings;
pub use self::worker::WorkerOptions;
use crate::storage::{
    DatabaseOptions, Durability, OpenError, PostgresOptions, SettleLimits, SqliteOptions, StorageOptions,
};

/// What `quire serve` is told.
#[derive(Args, Clone, Debug)]
pub struct ServeOptions {
    /// Address to listen on; port 0 picks a free one. Off loopback, guests can speak for each other: see --guests.
    #[arg(long, env = "QUIRE_LISTEN", default_value = "127.0.0.1:8080", value_name = "HOST:PORT", value_parser = address)]
    pub listen: SocketAddr,

    /// Folder of the embedded database, and of snapshots and archived operations unless they are elsewhere; locked while the
    /// server runs.
    #[arg(long, env = "QUIRE_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,

    #[command(flatten)]
    pub database: DatabaseSettings,

    #[command(flatten)]
    pub cluster: ClusterSettings,

    #[command(flatten)]
    pub objects: ObjectSettings,

    #[command(flatten)]
    pub archive: ArchiveSettings,

    #[command(flatten)]
    pub audit: AuditSettings,

    #[command(flatten)]
    pub redis: RedisSettings,

    #[command(flatten)]
    pub tls: TlsSettings,

    #[command(flatten)]
    pub log: LogSettings,

    #[command(flatten)]
    pub traces: TraceSettings,

    #[command(flatten)]
    pub kafka: KafkaSettings,

    #[command(flatten)]
    pub projections: ProjectionSettings,

    #[command(flatten)]
    pub events: EventSettings,

    #[command(flatten)]
    pub accounts: AccountSettings,

    /// Whether people without a token may read and write.
    #[arg(long, env = "QUIRE_GUESTS", default_value = "on", value_name = "on|off")]
    pub guests: Switch,

    #[command(flatten)]
    pub sharing: SharingSettings,

    /// Secret (HS256) with which another application signs tokens for this server.
    #[arg(long, env = "QUIRE_JWT_SECRET", hide_env_values = true, value_name = "TEXT")]
    pub jwt_secret: Option<Secret>,

    /// Host names under which this server is reached, beside loopback and the listen address (comma separated).
    #[arg(long, env = "QUIRE_ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub allowed_hosts: Vec<String>,

    /// Origins of foreign pages that may connect, such as https://wiki.example (comma separated).
    #[arg(long, env = "QUIRE_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub allowed_origins: Vec<String>,

    #[command(flatten)]
    pub limits: LimitSettings,

    /// What documents may be made of: any (well-formed attributes and embeds), quill (what Quill has), or a file (TOML) with the
    /// lists `attributes` and `embeds`.
    #[arg(long, env = "QUIRE_ALLOWED_FORMATS", default_value = "any", value_name = "any|quill|FILE")]
    pub allowed_formats: String,

    /// Threads that serve sockets and REST [default: one per core].
    #[arg(long, env = "QUIRE_WORKERS", value_name = "N")]
    pub workers: Option<usize>,

    /// Threads that own documents [default: one per core].
    #[arg(long, env = "QUIRE_DOCUMENT_THREADS", value_name = "N")]
    pub document_threads: Option<usize>,

    /// Whether memory may come in pages of 2 MiB: quicker where looking up pages is dear (many virtual machines), for half as much
    /// memory again.
    #[arg(long, env = "QUIRE_HUGE_PAGES", default_value = "off", value_name = "on|off")]
    pub huge_pages: Switch,

    /// How long a document without sessions stays in memory, in seconds.
    #[arg(long, env = "QUIRE_PASSIVATE_AFTER", default_value_t = 60, value_name = "SECONDS")]
    pub passivate_after: u64,

    /// SQLite's durability. `off` loses acknowledged edits in a power cut and exists to prove that tests notice.
    #[arg(
        long,
        env = "QUIRE_SQLITE_SYNCHRONOUS",
        default_value = "full",
        value_name = "full|off",
        hide = true
    )]
    pub sqlite_synchronous: Synchronous,

    /// How long operations wait in `recent_batches` at most, in milliseconds. Tests set it low, so that crashes fall into
    /// settling.
    #[arg(long, env = "QUIRE_SETTLE_AFTER_MS", value_name = "MS", hide = true)]
    pub settle_after_ms: Option<u64>,

    /// How many operations wait there, for the same.
    #[arg(long, env = "QUIRE_SETTLE_OPS", value_name = "N", hide = true)]
    pub settle_ops: Option<usize>,
}

/// Reads `HOST:PORT`; of a name's addresses the first one is taken.
///
/// # Errors
/// In words, for clap.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text
        .to_socket_addrs()
        .map_err(|error| format!("HOST:PORT is wanted, such as 127.0.0.1:8080 ({error})"))?;
    addresses.next().ok_or_else(|| "the name has no address".to_owned())
}

impl ServeOptions {
    /// Returns which database and which object store are to be used, and how.
    ///
    /// # Errors
    /// One of the addresses is none.
    pub fn storage(&self) -> Result<StorageOptions, OpenError> {
        let postgres = self.database.postgres()?;
        let database = postgres.map_or_else(|| self.sqlite().into(), DatabaseOptions::Postgres);
        self.objects.storage(database)
    }

    fn sqlite(&self) -> SqliteOptions {
        let durability = match self.sqlite_synchronous {
            Synchronous::Full => Durability::Full,
            Synchronous::Off => Durability::Off,
        };
        let usual = SettleLimits::default();
        let settle = SettleLimits {
            ops: self.settle_ops.map_or(usual.ops, |ops| ops.max(1)),
            after: self.settle_after_ms.map_or(usual.after, Duration::from_millis),
            ..usual
        };
        SqliteOptions { durability, settle, ..SqliteOptions::default() }
    }
}

/// A database that is not in the data folder.
#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// PostgreSQL database to use instead of the embedded one, postgres://USER:PASSWORD@HOST:PORT/NAME; what it does not
    /// say is taken from PGHOST, PGUSER, PGPASSWORD, PGPASSFILE and their like.
    #[arg(long, env = "QUIRE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<Secret>,

    /// Connections to PostgreSQL, beside the one for edits.
    #[arg(
        long,
        env = "QUIRE_DATABASE_CONNECTIONS",
        default_value_t = 8,
        value_name = "N",
        value_parser = value_parser!(u32).range(1..=500)
    )]
    pub database_connections: u32,

    /// How long to wait for a connection to PostgreSQL before storage counts as unavailable.
    #[arg(
        long,
        env = "QUIRE_DATABASE_CONNECT_TIMEOUT",
        default_value_t = 3,
        value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..=60)
    )]
    pub database_connect_timeout: u64,

    /// How long PostgreSQL may work on one statement.
    #[arg(
        long,
        env = "QUIRE_DATABASE_STATEMENT_TIMEOUT",
        default_value_t = 5,
        value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..=60)
    )]
    pub database_statement_timeout: u64,
}

impl DatabaseSettings {
    /// Returns how PostgreSQL is to be used; `None` when the embedded database is.
    ///
    /// # Errors
    /// The address is none.
    pub fn postgres(&self) -> Result<Option<PostgresOptions>, OpenError> {
        // A variable that is set to nothing is not set.
        let url = self.database_url.as_ref().filter(|url| !url.expose().is_empty());
        let Some(url) = url else { return Ok(None) };
        let mut options = PostgresOptions::new(url.expose())?;
        options.connections = self.database_connections;
        options.connect_within = Duration::from_secs(self.database_connect_timeout);
        options.statement_within = Duration::from_secs(self.database_statement_timeout);
        Ok(Some(options))
    }
}

/// What is wrong with the configuration, and where.
#[derive(Clone, Debug)]
pub struct Complaint {
    place: String,
    text: String,
}

impl Complaint {
    pub fn new(place: impl ToString, text: impl Into<String>) -> Self {
        Self { place: place.to_string(), text: text.into() }
    }

    /// `FILE:LINE`, or the name of a variable.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

impl Switch {
    /// Tells whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// SQLite's `synchronous` setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Synchronous {
    Full,
    Off,
}

/// A text that is not printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// What a client may send; part of `welcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Limits {
    /// Bytes of a client's frame.
    pub frame_bytes: usize,
    /// Parts of one operation.
    pub ops: usize,
    /// Bytes of a document: text as UTF-8 plus attributes.
    #[ts(type = "number")]
    pub document_bytes: u64,
    /// Bytes that a presence state has to stay below.
    pub presence_bytes: usize,
    /// Operations a second of one user, over all sessions.
    pub ops_per_second: u32,
    /// Versions that an operation's base may be behind.
    #[ts(type = "number")]
    pub base_lag: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 1 << 20,
            ops: 10_000,
            document_bytes: 10_000_000,
            presence_bytes: 4_096,
            ops_per_second: 100,
            base_lag: 10_000,
        }
    }
}

/// How a document's actor behaves.
#[derive(Clone, Copy, Debug)]
pub struct DocumentSettings {
    pub limits: Limits,
    /// Sessions that a document has at most.
    pub sessions: usize,
    /// How long a document without sessions stays in memory.
    pub passivate_after: Duration,
    /// Operations between two snapshots; more when they typed few bytes, see `actors::snapshot`.
    pub snapshot_every: u64,
    /// Operations kept in memory for late bases and reconnecting sessions.
    pub tail_ops: usize,
    /// Bytes of these operations as JSON.
    pub tail_bytes: usize,
    /// Operations applied and not yet durable; beyond it, `unavailable`.
    pub speculative_ops: usize,
    /// Bytes of these operations as JSON.
    pub speculative_bytes: usize,
    /// Rest between two broadcasts of a document, per session that gets them: what a delivery costs. It makes hot
    /// documents gather operations into fewer frames instead of falling behind; with few sessions it is nothing.
    pub delivery_cost: Duration,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            sessions: usize::MAX,
            passivate_after: Duration::from_mins(1),
            snapshot_every: 100,
            tail_ops: 1_000,
            tail_bytes: 512 << 10,
            speculative_ops: 1_000,
            speculative_bytes: 4 << 20,
            delivery_cost: Duration::from_micros(40),
        }
    }
}
