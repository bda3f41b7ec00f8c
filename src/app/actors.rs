//! The actors of a server, and the threads that they live on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix::prelude::*;
use anyhow::Context as _;

use super::Parts;
use crate::actors::administration::Administration;
use crate::actors::archiver::{Archive, ArchiverActor};
use crate::actors::clock::Clock;
use crate::actors::cluster::{Cluster, Holdings, Rounds};
use crate::actors::document::Shared;
use crate::actors::journal::JournalActor;
use crate::actors::projector::{self, Ends, Projecting, ProjectorActor};
use crate::actors::publisher::{self, PublisherActor, Window};
use crate::actors::rebase::Rebaser;
use crate::actors::registry::{Equip, RegistryActor};
use crate::actors::remote::Remote;
use crate::actors::service::Documents;
use crate::actors::sharing::Sharing;
use crate::actors::snapshot::SnapshotActor;
use crate::actors::watch::end_of;
use crate::projections::Projector;
use crate::storage::projections;

/// The actors that stop in order, and the threads they live on.
pub(super) struct Actors {
    pub(super) registry: Addr<RegistryActor>,
    pub(super) journal: Addr<JournalActor>,
    pub(super) snapshots: Addr<SnapshotActor>,
    pub(super) publisher: Option<Addr<PublisherActor>>,
    pub(super) documents: Documents,
    pub(super) sharing: Sharing,
    pub(super) administration: Administration,
    pub(super) cluster: Option<Cluster>,
    pub(super) threads: Vec<Arbiter>,
}

impl Actors {
    /// Resolves with the name of the first of those actors to end that nobody replaces.
    pub(super) async fn first_death(&self) -> &'static str {
        tokio::select! {
            () = end_of(&self.journal) => "the journal",
            () = end_of(&self.registry) => "the registry",
            () = end_of(&self.snapshots) => "the snapshot writer",
        }
    }
}

/// Starts the journal, the snapshot writer, the registry and the document threads.
pub(super) async fn start_actors(
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
        .annotated(annotations)
        .holding(holdings);
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
