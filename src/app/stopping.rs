//! A server that runs, and how it stops: in order, and within the time that it is given.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;

use super::Application;
use super::actors::Actors;
use crate::actors::journal::Flush;
use crate::actors::publisher::Drain;
use crate::actors::registry::DrainAll;
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

impl Application {
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
