//! `quire worker`: keeps projections up with the stream, as a member of a group that shares out its partitions.
//!
//! The stream brings what is new; the watermarks in the database say what is stored, and the log has what the stream does not
//! bring. So nothing depends on where the group's offsets stand, on a record coming once, or on who has a partition: of two workers
//! that write the same shard one is refused, forgets what it knows and begins with what is stored.

mod lane;
mod work;

use std::time::Duration;

use actix_web::{App, HttpServer};
use anyhow::Context as _;

pub use self::work::{Tools, work};
use crate::config::WorkerOptions;
use crate::http;

/// How long what is under way may take at a stop.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Works until `stop` resolves; then what has come is stored, and the group is left.
///
/// # Errors
/// A sentence for the operator: a setting is missing, the database cannot be used, the topic has the wrong partitions, or the
/// address is taken.
pub async fn run(
    options: WorkerOptions,
    listening: impl FnOnce(std::net::SocketAddr),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let listener = std::net::TcpListener::bind(options.worker_listen)
        .with_context(|| format!("cannot listen on {}", options.worker_listen))?;
    let address = listener.local_addr()?;
    let reading = options.reading().await?;
    let tools = Tools::of(&options, &reading)?;
    let server = HttpServer::new(|| App::new().configure(http::probes))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
    let handle = server.handle();
    let serving = actix_rt::spawn(server);
    listening(address);
    let (stopping, stopped) = tokio::sync::watch::channel(false);
    let working = work(tools, stopped);
    let stop = async {
        stop.await;
        tracing::info!("stopping: what has come is stored");
        stopping.send_replace(true);
        tokio::time::sleep(STOP_WITHIN).await;
    };
    let worked = tokio::select! {
        worked = working => worked,
        () = stop => {
            tracing::warn!("not everything was stored in time: it is read again");
            Ok(())
        }
    };
    handle.stop(false).await;
    serving.await.context("the HTTP server failed")??;
    reading.close().await?;
    worked
}
