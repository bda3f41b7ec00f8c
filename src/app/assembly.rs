//! Actors, who may come in, and the HTTP server, put together.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use anyhow::Context as _;

use super::actors::start_actors;
use super::{Application, Parts};
use crate::actors::audit::Audit;
use crate::actors::clock::Clock;
use crate::actors::events::{self, Rights};
use crate::actors::remote::Remote;
use crate::actors::session::{Setting, Standing, Visitor, outbox};
use crate::auth::upkeep::Upkeep;
use crate::auth::{Auth, Erasures};
use crate::config::{Secret, ServeOptions};
use crate::formats::AllowedFormats;
use crate::http;
use crate::http::answers::Answers;
use crate::http::auth::Caller;
use crate::http::body::Bodies;
use crate::http::forward::Forwarder;
use crate::limits::Limiter;
use crate::limits::places::Places;
use crate::metrics::METRICS;
use crate::redis::Redis;
use crate::storage::portability::Exporter;
use crate::tls::Identity;

/// Connections that wait to be accepted; the kernel has its own bound (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// Bytes of large answers that are on their way at the same time, together.
const ANSWERS_BYTES: u64 = 512 << 20;

/// Acts of one network that are under way at the same time.
const ACTS_PER_NETWORK: u32 = 64;

impl Application {
    /// Binds the address, and starts the actors on the given storage.
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
        let encrypts = tls.as_ref().map(Identity::server_config).transpose()?;
        let trust = options.cluster.trust()?;
        let redis = options.redis.options()?.map(|options| Redis::start(&options)).transpose()?;
        let remote = redis.map(Remote::new);
        let formats = AllowedFormats::read(&options.allowed_formats).context("--allowed-formats")?;
        let policy = options.events.policy();
        let sender = policy.sender()?;
        let listener = listen(options.listen)?;
        let address = listener.local_addr()?;
        let auth_settings = options.accounts.settings(options.jwt_secret.as_ref().map(Secret::expose))?;
        let (auth, seen) = Auth::open(auth_settings, accounts, Clock::system()).await?;
        let security = http::security(&options, address, auth.clone(), tls.is_some())?;
        // This takes the shards, from a server that runs perhaps: what can be wrong with the settings was looked at before.
        let actors = start_actors(parts, remote.clone(), document_threads, draining.clone()).await?;
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
        let check = security.clone();
        let buckets = remote.as_ref().map(|remote| &remote.buckets);
        let limiter = options.limits.quotas().map(|quotas| Limiter::new(&quotas, buckets));
        let sessions = Arc::new(Setting {
            registry: actors.registry.clone(),
            store,
            limits: settings.limits,
            formats,
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
            events::start(stores, policy, sender, rights, Clock::system(), draining.clone())
        });
        let (events, herald) = told.unzip();
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
            forwarder: actors.cluster.clone().map(|cluster| Forwarder::new(cluster, trust)),
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
        let server = match encrypts {
            Some(config) => server.listen_rustls_0_23(listener, config)?,
            None => server.listen(listener)?,
        };
        let server = server.run();
        Ok(Self { address, tls, server, actors, audit, draining, upkeep, herald, storage: None })
    }
}

/// Takes the address. Those whose connections are being made wait there, and not for each other.
fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    socket2::SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
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
