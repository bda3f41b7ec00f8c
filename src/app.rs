//! The application: starts everything in order, runs until it is told to stop, and stops in order.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;

use crate::actors::administration::Administration;
use crate::actors::archiver::{Archive, ArchivePolicy, ArchiverActor};
use crate::actors::audit::Audit;
use crate::actors::clock::Clock;
use crate::actors::cluster::{Cluster, Holdings, Rounds};
use crate::actors::document::{Probe, Shared};
use crate::actors::events::{self, Herald, Rights};
use crate::actors::journal::{Flush, JournalActor};
use crate::actors::projector::{self, Ends, Projecting, ProjectorActor};
use crate::actors::publisher::{self, Drain, PublisherActor, Window, WindowLimits};
use crate::actors::rebase::Rebaser;
use crate::actors::registry::{DrainAll, Equip, RegistryActor};
use crate::actors::remote::Remote;
use crate::actors::service::Documents;
use crate::actors::session::{Setting, Standing, Visitor, outbox};
use crate::actors::sharing::Sharing;
use crate::actors::snapshot::SnapshotActor;
use crate::actors::watch::end_of;
use crate::auth::upkeep::Upkeep;
use crate::auth::{Auth, Erasures};
use crate::config::{DocumentSettings, Limits, NotShared, Secret, ServeOptions};
use crate::formats::AllowedFormats;
use crate::http;
use crate::http::answers::Answers;
use crate::http::auth::Caller;
use crate::http::body::Bodies;
use crate::http::forward::Forwarder;
use crate::limits::Limiter;
use crate::limits::places::Places;
use crate::metrics::METRICS;
use crate::projections::Projector;
use crate::redis::Redis;
use crate::storage::accounts::SharedAccounts;
use crate::storage::annotations::SharedAnnotations;
use crate::storage::audit::SharedAuditLog;
use crate::storage::bus::SharedBus;
use crate::storage::cluster::SharedCluster;
use crate::storage::people::SharedPeople;
use crate::storage::permissions::SharedPermissions;
use crate::storage::portability::Exporter;
use crate::storage::projections::{self, SharedProjections};
use crate::storage::{DatabaseOptions, Opened, SharedStore, SnapshotBodies, Tiers};
use crate::tls::Identity;

/// How long sessions, documents and journal may take together at a stop, of the 10 s that an orchestrator gives at
/// least …
const DRAIN_WITHIN: Duration = Duration::from_secs(6);

/// … of which the documents, to commit and to be snapshotted …
const SNAPSHOTS_WITHIN: Duration = Duration::from_secs(5);

/// … then the stream, to take what was committed last (the rest is published after the next start) …
const PUBLISH_WITHIN: Duration = Duration::from_secs(1);

/// … and storage to close. What neither has done in time, the next start has to do.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How long the other servers of a cluster are told of that, at its beginning and at its end.
const TELL_WITHIN: Duration = Duration::from_millis(500);

/// How long sessions get to read their `reconnect` before the documents are closed.
const SESSIONS_LEAVE_WITHIN: Duration = Duration::from_millis(500);

/// Connections that wait to be accepted; the kernel has its own bound (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// Bytes of large answers that are on their way at the same time, together.
const ANSWERS_BYTES: u64 = 512 << 20;

/// Acts of one network that are under way at the same time.
const ACTS_PER_NETWORK: u32 = 64;

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

/// The actors that stop in order, and the threads they live on.
struct Actors {
    registry: Addr<RegistryActor>,
    journal: Addr<JournalActor>,
    snapshots: Addr<SnapshotActor>,
    publisher: Option<Addr<PublisherActor>>,
    documents: Documents,
    sharing: Sharing,
    administration: Administration,
    cluster: Option<Cluster>,
    threads: Vec<Arbiter>,
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
        if let DatabaseOptions::Postgres(postgres) = &mut wanted.database {
            postgres.serves = true;
        }
        check_what_is_shared(&options)?;
        let storage = Opened::at(&options.data, wanted).await?;
        storage.finish().await;
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

    /// Starts the actors on the given storage, and binds the address.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub async fn assemble(options: ServeOptions, parts: Parts) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (store, settings, accounts) = (parts.store.clone(), parts.settings, parts.accounts.clone());
        let (audit_log, stores) = (parts.audit.clone(), parts.events.clone());
        let exporter = parts.people.clone().map(|people| Exporter {
            store: parts.store.clone(),
            bodies: parts.bodies.clone(),
            people,
        });
        let draining = Arc::new(AtomicBool::new(false));
        let document_threads = options.document_threads.unwrap_or(cores).clamp(1, 64);
        let tls = options.tls.files()?.map(Identity::read).transpose()?;
        let redis = options.redis.options()?.map(|options| Redis::start(&options)).transpose()?;
        let remote = redis.map(Remote::new);
        let actors = start_actors(parts, remote.clone(), document_threads, draining.clone()).await?;
        let listener = std::net::TcpListener::bind(options.listen)
            .with_context(|| format!("cannot listen on {}", options.listen))?;
        // Those whose connections are being made wait here, and not for each other.
        socket2::SockRef::from(&listener).listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let auth_settings = options.accounts.settings(options.jwt_secret.as_ref().map(Secret::expose))?;
        let (auth, seen) = Auth::open(auth_settings, accounts, Clock::system()).await?;
        let upkeep = Upkeep::start(&auth, seen);
        let (revoked, bans) = (auth.revoked.generation(), auth.bans.generation());
        let watched = auth.clone();
        let erasures = exporter.as_ref().map(|exporter| Erasures {
            people: exporter.people.clone(),
            documents: actors.documents.clone(),
            sharing: actors.sharing.clone(),
            accounts: auth.accounts.clone(),
            revoked: auth.revoked.clone(),
            clock: Clock::system(),
        });
        let security = http::security(&options, address, auth, tls.is_some())?;
        let check = security.clone();
        let buckets = remote.as_ref().map(|remote| &remote.buckets);
        let limiter = options.limits.quotas().map(|quotas| Limiter::new(&quotas, buckets));
        let sessions = Arc::new(Setting {
            registry: actors.registry.clone(),
            store,
            limits: settings.limits,
            formats: AllowedFormats::read(&options.allowed_formats).context("--allowed-formats")?,
            limiter: limiter.map(Arc::new),
            clock: Clock::system(),
            draining: draining.clone(),
            check_token: Arc::new(move |token| check.check_token(token).map(Caller::visitor)),
            revocations: revoked,
            bans,
            standing: Arc::new(move |visitor, address| standing(&watched, visitor, address)),
        });
        let link_role = options.sharing.link_role(options.guests);
        let told = stores.map(|stores| {
            let rights = Rights::new(sessions.store.clone(), actors.sharing.clone(), link_role.is_some());
            events::start(stores, options.events.policy(), rights, Clock::system(), draining.clone())
        });
        let (events, herald) = told.transpose()?.unzip();
        let audit = audit_log
            .clone()
            .map_or_else(Audit::none, |log| Audit::start(log, options.audit.policy(), Clock::system()));
        let state = web::Data::new(http::HttpState {
            documents: actors.documents.clone(),
            sharing: actors.sharing.clone(),
            link_role,
            events,
            administration: actors.administration.clone(),
            sessions,
            security,
            answers: Answers::new(ANSWERS_BYTES),
            acts: Arc::new(Places::new(ACTS_PER_NETWORK, METRICS.limited.with_label_values(&["acts"]))),
            bodies: Bodies::new(options.limits.bodies_bytes, options.limits.body_within()),
            audit: audit.clone(),
            audit_log,
            exporter,
            erasures,
            forwarder: actors.cluster.clone().map(Forwarder::new).transpose()?,
            draining: draining.clone(),
        });
        let (workers, limits) = (options.workers.unwrap_or(cores).clamp(1, 64), &options.limits);
        let connected = state.clone();
        let server = HttpServer::new(move || App::new().configure(http::configure(state.clone())))
            .on_connect(move |connection, extensions| {
                http::sockets::keep_socket(&connected, connection, extensions);
            })
            .workers(workers)
            .max_connections((limits.connections as usize).div_ceil(workers))
            .client_request_timeout(Duration::from_secs(limits.head_timeout))
            .keep_alive(Duration::from_secs(limits.keep_alive))
            // Each connection keeps a buffer as large as the most that it has once written together.
            .h1_write_buffer_size(outbox::CHUNK)
            .disable_signals()
            .shutdown_timeout(1);
        let server = match &tls {
            Some(identity) => server.listen_rustls_0_23(listener, identity.server_config()?)?,
            None => server.listen(listener)?,
        };
        let server = server.run();
        Ok(Self { address, tls, server, actors, audit, draining, upkeep, herald, storage: None })
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

    /// Serves until `stop` resolves, and then stops gracefully: sessions are told to reconnect, everything is committed,
    /// snapshots are written.
    ///
    /// # Errors
    /// An actor has ended that nothing works without, or storage could not be closed.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let serving = actix_rt::spawn(self.server);
        // Without a handler the signal would end the process; whoever sends it wants its files read again.
        let reloading = actix_rt::spawn(reload_on_hangup(self.tls.clone()));
        let orderly = async {
            stop.await;
            tracing::info!("stopping: sessions are told to reconnect");
            // From here on REST writes are refused, and sessions are told to leave.
            self.draining.store(true, Ordering::Relaxed);
            if let Some(cluster) = &self.actors.cluster {
                // Storage that does not answer does not hold up the end here, either.
                let _ = tokio::time::timeout(TELL_WITHIN, cluster.drain()).await;
            }
            // Storage that does not answer holds up the drain, and must not hold up the end.
            if tokio::time::timeout(DRAIN_WITHIN, drain(&self.actors)).await.is_err() {
                tracing::warn!("not everything was committed in time: nothing of that was acknowledged");
            }
            publish_rest(&self.actors).await;
            if let Some(cluster) = &self.actors.cluster {
                let _ = tokio::time::timeout(TELL_WITHIN, cluster.leave()).await;
            }
        };
        let died = tokio::select! {
            actor = self.actors.first_death() => Some(actor),
            () = orderly => None,
        };
        if let Some(actor) = died {
            tracing::error!(actor, "an actor has ended that nothing works without: the server stops");
            self.draining.store(true, Ordering::Relaxed);
        }
        reloading.abort();
        handle.stop(false).await;
        serving.await.context("the HTTP server failed")??;
        // What it reads just now is given up before storage is closed.
        drop((self.upkeep, self.herald));
        self.audit.close().await;
        // Before the threads stop: a read that is cut off there (old snapshots may still be looked through) would have to
        // give its connection back outside of any runtime, which panics. Closing waits for it.
        let closed = match self.storage {
            Some(storage) => tokio::time::timeout(CLOSE_WITHIN, storage.close()).await,
            None => Ok(Ok(())),
        };
        for thread in &self.actors.threads {
            thread.stop();
        }
        if closed.is_err() {
            tracing::warn!("storage was not closed in time: the log has everything");
        }
        match died {
            Some(actor) => anyhow::bail!("{actor} has failed; the log has everything that was acknowledged"),
            None => Ok(closed.unwrap_or(Ok(()))?),
        }
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

/// Tells what has become of somebody who was let in.
fn standing(auth: &Auth, visitor: Option<&Visitor>, address: IpAddr) -> Standing {
    let revoked = |visitor: &Visitor| {
        auth.revoked.denies(&visitor.user, visitor.credential.as_deref(), visitor.issued_at)
    };
    if auth.is_banned(visitor.map(|visitor| &visitor.user), Some(address)) {
        Standing::Banned
    } else if visitor.is_some_and(revoked) {
        Standing::Revoked
    } else {
        Standing::Good
    }
}

impl Actors {
    /// Resolves with the name of the first of those actors to end that nobody replaces.
    async fn first_death(&self) -> &'static str {
        tokio::select! {
            () = end_of(&self.journal) => "the journal",
            () = end_of(&self.registry) => "the registry",
            () = end_of(&self.snapshots) => "the snapshot writer",
        }
    }
}

/// Starts the journal, the snapshot writer, the registry and the document threads.
async fn start_actors(
    parts: Parts,
    remote: Option<Remote>,
    document_threads: usize,
    draining: Arc<AtomicBool>,
) -> anyhow::Result<Actors> {
    let Parts {
        store,
        bodies,
        settings,
        stream,
        archive,
        projections,
        permissions,
        annotations,
        cluster,
        probe,
        ..
    } = parts;
    // The name is new at every start, so that a node can tell its own epochs from those of the run before.
    let node = format!("node-{}", uuid::Uuid::new_v4());
    let (cluster, holdings, journal) = match cluster {
        None => {
            let epochs = store.claim_all(&node).await.context("cannot take the shards")?;
            let journal = JournalActor::new(store.clone(), node.clone(), epochs).await;
            (None, Holdings::everything().into(), journal.context("cannot read the log")?)
        }
        Some((members, url)) => {
            let holdings = Arc::new(Holdings::nothing());
            let joined = Cluster::join(members, node.clone(), &url, holdings.clone()).await;
            let journal = JournalActor::of_nothing(store.clone(), node.clone());
            (Some(joined.context("cannot join the other servers")?), holdings, journal)
        }
    };
    let projects = projections.iter().map(|_| projections::READER.to_owned());
    let readers = stream.iter().map(|_| publisher::READER.to_owned()).chain(projects).collect();
    let archive = archive.map(|(tiers, policy)| Archive {
        tiers,
        policy,
        readers,
        node: node.clone(),
        clock: Clock::system(),
        draining: draining.clone(),
    });
    let named = node.clone();
    let (journal, publisher) = match stream {
        Some((bus, limits)) => {
            let window = Arc::new(Window::new(limits));
            let journal = journal.hand_on_to(window.clone());
            (journal, Some(PublisherActor::new(store.clone(), bus, window, node, Clock::system())))
        }
        None => (journal, None),
    };
    let ends = Arc::new(Ends::default());
    let projecting = projections.map(|rows| Projecting {
        projector: Projector { store: store.clone(), rows, limits: projector::LIMITS },
        ends: ends.clone(),
        clock: Clock::system(),
        draining: draining.clone(),
    });
    let journal = if projecting.is_some() { journal.tell(ends) } else { journal };
    let threads: Vec<Arbiter> = (0..document_threads).map(|_| Arbiter::new()).collect();
    // On a single core a thread of its own would only be one more to wake for every edit.
    let journal_thread = (document_threads > 1).then(Arbiter::new);
    let service_thread = Arbiter::new();
    let publisher_thread = publisher.is_some().then(Arbiter::new);
    let publisher = publisher
        .zip(publisher_thread.as_ref())
        .map(|(publisher, thread)| PublisherActor::start_in_arbiter(&thread.handle(), |_| publisher));
    let projector_thread = projecting.is_some().then(Arbiter::new);
    if let Some((projecting, thread)) = projecting.zip(projector_thread.as_ref()) {
        ProjectorActor::start_in_arbiter(&thread.handle(), |_| ProjectorActor::new(projecting));
    }
    let journal_handle = journal_thread.as_ref().unwrap_or(&threads[0]).handle();
    let journal = JournalActor::start_in_arbiter(&journal_handle, |_| journal);
    let cache = remote.as_ref().map(|remote| remote.cache.clone());
    let writer = SnapshotActor::new(store.clone(), bodies.clone()).through(cache);
    let snapshots = SnapshotActor::start_in_arbiter(&service_thread.handle(), |_| writer);
    let registry = RegistryActor::new(bodies.clone(), &threads).holding(holdings.clone());
    let registry = RegistryActor::start_in_arbiter(&service_thread.handle(), |_| registry);
    if let Some(archive) = archive {
        ArchiverActor::start_in_arbiter(&service_thread.handle(), |_| ArchiverActor::new(archive));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shared = Arc::new(Shared {
        // The other half is for everything else.
        rebaser: Rebaser::new(store.clone(), cores / 2),
        store: store.clone(),
        journal: journal.clone(),
        snapshots: snapshots.clone(),
        registry: registry.clone(),
        settings: Arc::new(settings),
        clock: Clock::system(),
        remote: remote.clone(),
        permissions: permissions.clone(),
        probe,
    });
    registry.send(Equip(shared)).await?;
    if let Some(cluster) = &cluster {
        let mut rounds = Rounds::new(cluster.clone(), journal.clone(), registry.clone());
        // Whoever is alone has everything before somebody asks for it.
        rounds.round().await.context("cannot take shards")?;
        service_thread.spawn(rounds.run());
    }
    let sharing = Sharing::new(permissions, registry.clone(), Clock::system());
    service_thread.spawn(sharing.clone().watch());
    let (clock, limits) = (Clock::system(), settings.limits);
    let administration = Administration::new(registry.clone(), store.clone(), bodies.clone(), named, &clock);
    let documents = Documents::new(store, bodies, registry.clone(), journal.clone(), clock, limits, draining)
        .through(remote)
        .annotated(annotations);
    let documents = if cluster.is_some() { documents.holding(holdings) } else { documents };
    let apart = [journal_thread, publisher_thread, projector_thread, Some(service_thread)];
    let threads = threads.into_iter().chain(apart.into_iter().flatten()).collect();
    Ok(Actors {
        registry,
        journal,
        snapshots,
        publisher,
        documents,
        sharing,
        administration,
        cluster,
        threads,
    })
}

/// Sessions first, then documents, then the log: each has nothing left to do when the one before has ended.
async fn drain(actors: &Actors) {
    tokio::time::sleep(SESSIONS_LEAVE_WITHIN).await;
    // A closed mailbox means that there is nothing left to wait for.
    let missing = actors.registry.send(DrainAll { within: SNAPSHOTS_WITHIN }).await.unwrap_or(0);
    if missing > 0 {
        tracing::warn!(documents = missing, "not all documents were snapshotted: the log has everything");
    }
    let _ = actors.journal.send(Flush).await;
}

/// Tells what makes no sense among settings that each make sense by themselves, a sentence for each. Nothing is started.
pub fn faults(options: &ServeOptions) -> Vec<String> {
    let tls = options.tls.files().and_then(|files| files.map(Identity::read).transpose());
    let origins =
        http::origin::Origins::new(options.listen.ip(), &options.allowed_hosts, &options.allowed_origins);
    let parts = [
        options.storage().and_then(|storage| storage.objects.check()).err().map(anyhow::Error::from),
        options.redis.options().err().map(anyhow::Error::from),
        options.kafka.bus().err().map(anyhow::Error::from),
        tls.err().map(anyhow::Error::from),
        origins.err().map(anyhow::Error::from),
        AllowedFormats::read(&options.allowed_formats).err().map(anyhow::Error::from),
        options.accounts.settings(None).err(),
        check_what_is_shared(options).err().map(anyhow::Error::from),
    ];
    parts.into_iter().flatten().map(|error| format!("{error:#}")).collect()
}

/// Reads the certificate again at every SIGHUP.
async fn reload_on_hangup(tls: Option<Arc<Identity>>) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => return tracing::warn!(%error, "SIGHUP cannot be listened for"),
    };
    while hangups.recv().await.is_some() {
        match tls.as_ref().map(|identity| identity.reload()) {
            Some(Ok(())) => tracing::info!("the certificate was read again"),
            Some(Err(error)) => tracing::error!(%error, "the certificate stays the one from before"),
            None => tracing::info!("SIGHUP: there is no certificate to read again"),
        }
    }
}

/// Waits until the stream has what was committed, if it takes that.
async fn publish_rest(actors: &Actors) {
    let Some(publisher) = &actors.publisher else { return };
    match tokio::time::timeout(PUBLISH_WITHIN, publisher.send(Drain)).await {
        Ok(Ok(0)) => {}
        Ok(left) => {
            let operations = left.unwrap_or_default();
            tracing::warn!(operations, "the stream is away: the rest is published after the next start");
        }
        Err(_) => tracing::warn!("the stream is behind: the rest is published after the next start"),
    }
}

/// Listens for SIGTERM and SIGINT from now on; what it returns resolves at the first of them.
///
/// # Errors
/// When the system takes no handler.
pub fn termination() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Every session holds two descriptors; the soft limit of a shell is often 1,024.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(1 << 20) {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
}
