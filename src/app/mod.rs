//! The application: starts everything in order, runs until it is told to stop, and stops in order.

mod actors;
mod assembly;
mod stopping;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::dev::Server;
use anyhow::Context as _;

use self::actors::Actors;
pub use self::stopping::termination;
use crate::actors::archiver::ArchivePolicy;
use crate::actors::audit::Audit;
use crate::actors::document::Probe;
use crate::actors::events::{self, Herald};
use crate::actors::publisher::WindowLimits;
use crate::auth::upkeep::Upkeep;
use crate::config::{DocumentSettings, Limits, NotShared, Secret, ServeOptions, Synchronous};
use crate::formats::AllowedFormats;
use crate::http;
use crate::storage::accounts::SharedAccounts;
use crate::storage::annotations::SharedAnnotations;
use crate::storage::audit::SharedAuditLog;
use crate::storage::bus::SharedBus;
use crate::storage::cluster::SharedCluster;
use crate::storage::people::SharedPeople;
use crate::storage::permissions::SharedPermissions;
use crate::storage::projections::SharedProjections;
use crate::storage::{DatabaseOptions, Opened, SharedStore, SnapshotBodies, Tiers};
use crate::tls::Identity;

/// A running server.
pub struct Application {
    address: SocketAddr,
    tls: Option<Arc<Identity>>,
    server: Server,
    actors: Actors,
    audit: Audit,
    draining: Arc<AtomicBool>,
    upkeep: Upkeep,
    herald: Option<Herald>,
    /// What was opened here is closed here.
    storage: Option<Opened>,
}

/// What an application is made of, beside its options: tests bring their own.
pub struct Parts {
    pub store: SharedStore,
    pub bodies: Arc<SnapshotBodies>,
    pub settings: DocumentSettings,
    /// Where committed operations are published, and how many wait for that in memory.
    pub stream: Option<(SharedBus, WindowLimits)>,
    /// What is archived when, and from where to where.
    pub archive: Option<(Tiers, ArchivePolicy)>,
    /// Where projections are kept, if this server is to make them.
    pub projections: Option<SharedProjections>,
    /// Who may do what, beside owners and addresses.
    pub permissions: Option<SharedPermissions>,
    /// Where names of versions and comments are kept.
    pub annotations: Option<SharedAnnotations>,
    /// Where accounts are kept, if they are.
    pub accounts: Option<SharedAccounts>,
    /// Where it is recorded who has done what, if it is.
    pub audit: Option<SharedAuditLog>,
    /// What is kept of people, if anything is.
    pub people: Option<SharedPeople>,
    /// What has happened to documents, and who is told of it, if anybody is.
    pub events: Option<events::Stores>,
    /// Where other servers of the same database are found, and the address at which they reach this one; `None` for a server that
    /// is alone.
    pub cluster: Option<(SharedCluster, String)>,
    /// Called with every operation before its document takes it: lets tests inject a panic.
    pub probe: Option<Probe>,
}

impl Application {
    /// Opens storage, starts the actors, and binds the address.
    ///
    /// # Errors
    /// A sentence for the operator: the data folder is in use or cannot be read, the database cannot be reached, or the
    /// address is taken.
    pub async fn build(options: ServeOptions) -> anyhow::Result<Self> {
        raise_file_limit();
        let stream = options.kafka.bus().context("QUIRE_KAFKA_BROKERS is set")?;
        let stream = stream.map(|bus| (bus, options.kafka.window()));
        let mut wanted = options.storage()?;
        let is_embedded = matches!(wanted.database, DatabaseOptions::Embedded(_));
        if is_embedded && options.sqlite_synchronous == Synchronous::Off {
            tracing::warn!("QUIRE_SQLITE_SYNCHRONOUS is off: a power cut loses what was acknowledged");
        }
        if let DatabaseOptions::Postgres(postgres) = &mut wanted.database {
            postgres.serves = true;
        }
        check_what_is_shared(&options)?;
        let storage = Opened::at(&options.data, wanted).await?;
        storage.finish().await.context("cannot tell who else works on the database")?;
        let settings = DocumentSettings {
            limits: options.limits.told(Limits::default()),
            sessions: options.limits.sessions(),
            passivate_after: Duration::from_secs(options.passivate_after.max(1)),
            ..DocumentSettings::default()
        };
        let (store, bodies) = (storage.store.clone(), storage.bodies.clone());
        let archive = options.archive.policy().map(|policy| (storage.tiers.clone(), policy));
        let projects = options.projections.are_made_here(stream.is_some());
        let projections = projects.then(|| storage.projections.clone());
        let (audit, people) = (Some(storage.audit.clone()), Some(storage.people.clone()));
        let cluster = storage.cluster().zip(options.cluster.url().map(str::to_owned));
        let accounts = Some(storage.accounts.clone());
        let permissions = Some(storage.permissions.clone());
        let annotations = Some(storage.annotations.clone());
        let events = Some(events::Stores {
            events: storage.events.clone(),
            webhooks: storage.webhooks.clone(),
            secrets: storage.secrets.clone(),
        });
        let parts = Parts {
            store,
            bodies,
            settings,
            stream,
            archive,
            projections,
            permissions,
            annotations,
            accounts,
            audit,
            people,
            events,
            cluster,
            probe: None,
        };
        let mut application = Self::assemble(options, parts).await?;
        application.storage = Some(storage);
        Ok(application)
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its address with its scheme, as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// Checks that a server which is to be one of several has nothing for itself that the others need.
///
/// # Errors
/// What it does not share.
fn check_what_is_shared(options: &ServeOptions) -> Result<(), NotShared> {
    if options.cluster.url().is_none() {
        return Ok(());
    }
    let is_named = |setting: Option<&str>| setting.is_some_and(|text| !text.is_empty());
    if !is_named(options.database.database_url.as_ref().map(Secret::expose)) {
        return Err(NotShared::Database);
    }
    if is_named(options.objects.object_store_url.as_deref()) { Ok(()) } else { Err(NotShared::Objects) }
}

/// Tells what makes no sense among settings that each make sense by themselves, a sentence for each, with the keys that it is of as far as
/// that is known. Nothing is started.
pub fn faults(options: &ServeOptions) -> Vec<(&'static [&'static str], String)> {
    const KAFKA: &[&str] =
        &["kafka_brokers", "kafka_security", "kafka_ca", "kafka_mechanism", "kafka_user", "kafka_password"];
    let storage = options.storage().and_then(|storage| storage.objects.check());
    let tls = options.tls.files().and_then(|files| files.map(Identity::read).transpose());
    let (hosts, origins) = (&options.allowed_hosts, &options.allowed_origins);
    let origins = http::origin::Origins::new(options.listen.ip(), hosts, origins);
    let formats = AllowedFormats::read(&options.allowed_formats);
    let parts: [(&'static [_], _); 9] = [
        (&[], storage.err().map(anyhow::Error::from)),
        (&["redis_url", "redis_ca"], options.redis.options().err().map(anyhow::Error::from)),
        (KAFKA, options.kafka.bus().err().map(anyhow::Error::from)),
        (&["tls_cert", "tls_key"], tls.err().map(anyhow::Error::from)),
        (&["node_url", "node_ca"], options.cluster.trust().err().map(anyhow::Error::from)),
        (&["allowed_hosts", "allowed_origins"], origins.err().map(anyhow::Error::from)),
        (&["allowed_formats"], formats.err().map(anyhow::Error::from)),
        (&[], options.accounts.settings(None).err()),
        (&["node_url"], check_what_is_shared(options).err().map(anyhow::Error::from)),
    ];
    parts.into_iter().filter_map(|(keys, error)| Some((keys, format!("{:#}", error?)))).collect()
}

/// Every session holds two descriptors; the soft limit of a shell is often 1,024.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(1 << 20) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
}
