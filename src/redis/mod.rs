//! Redis, for what may be lost: this room knows how to ask it and when to leave it alone, and nothing of documents.
//!
//! Connections live on a thread of their own, so that neither the documents' threads nor the sockets' ever poll one. Whoever
//! asks waits 50 ms at most and then does without; what is only written goes through a bounded queue ([`queue`]). When Redis
//! does not answer, the [`breaker`] opens, and asking costs nothing until it is back.

mod address;
mod breaker;
pub mod buckets;
mod connector;
mod error;
mod link;
mod probe;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{ConnectionInfo, FromRedisValue, Pipeline};
use rustls::ClientConfig;

pub use self::error::RedisAddressError;
use self::link::Link;
use self::queue::Queue;

/// How long whoever reads waits for Redis unless told otherwise: what it saves is hardly more.
const READ_WITHIN: Duration = Duration::from_millis(50);

/// Where Redis is.
#[derive(Clone)]
pub struct RedisOptions {
    /// May hold a password: not to be shown.
    info: ConnectionInfo,
    /// `None` for the authorities of the system.
    trusted: Option<Arc<ClientConfig>>,
    read_within: Duration,
}

impl RedisOptions {
    /// Reads an address, `redis://[USER][:PASSWORD]@HOST[:PORT][/DATABASE]`, or `rediss://…` for TLS with a server whose
    /// certificate an authority of the system has signed.
    ///
    /// # Errors
    /// It is none.
    pub fn new(url: &str) -> Result<Self, RedisAddressError> {
        Ok(Self { info: address::parse(url)?, trusted: None, read_within: READ_WITHIN })
    }

    /// Tells whether what is sent is encrypted.
    pub fn uses_tls(&self) -> bool {
        address::uses_tls(&self.info)
    }

    /// Trusts these authorities instead of those of the system; of no meaning without TLS.
    #[must_use]
    pub fn trusting(self, authorities: ClientConfig) -> Self {
        Self { trusted: Some(Arc::new(authorities)), ..self }
    }

    /// Sets how long whoever reads waits for an answer before doing without: 50 ms unless this is said.
    pub fn waiting(self, read_within: Duration) -> Self {
        Self { read_within, ..self }
    }
}

impl std::fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisOptions").field("read_within", &self.read_within).finish_non_exhaustive()
    }
}

/// A Redis that may or may not be there. Cheap to clone; safe from any thread.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: tokio::runtime::Handle,
    link: Arc<Link>,
    queue: Queue,
    read_within: Duration,
}

impl Redis {
    /// Starts the thread that speaks to Redis; it ends when the last of these is dropped. Whether anybody is there is found
    /// out by that thread, and not waited for.
    ///
    /// # Errors
    /// TLS is wanted, and the system has no authorities to trust; or it gives no thread.
    pub fn start(options: &RedisOptions) -> Result<Self, RedisAddressError> {
        let link = Arc::new(Link::new(options)?);
        let (queue, worker) = queue::new(link.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| RedisAddressError::new(format!("it cannot be spoken to: {error}")))?;
        let handle = runtime.handle().clone();
        let probed = link.clone();
        std::thread::Builder::new()
            .name("redis".into())
            .spawn(move || {
                runtime.spawn(probe::run(probed));
                runtime.block_on(worker.run());
            })
            .map_err(|error| RedisAddressError::new(format!("it cannot be spoken to: {error}")))?;
        let read_within = options.read_within;
        Ok(Self { shared: Arc::new(Shared { runtime: handle, link, queue, read_within }) })
    }

    /// Tells whether Redis is spoken to; if not, [`Self::ask`] answers `None` at once.
    pub fn is_up(&self) -> bool {
        self.shared.link.breaker.is_closed()
    }

    /// Sends the commands together and returns what they answer; `None` when there is no sound answer within
    /// [`RedisOptions::waiting`], which is counted and is no error of the caller's.
    pub async fn ask<T: FromRedisValue + Send + 'static>(&self, commands: Pipeline) -> Option<T> {
        if !self.is_up() {
            return None;
        }
        let (link, within) = (self.shared.link.clone(), self.shared.read_within);
        let asked = self.shared.runtime.spawn(async move { link.ask(&commands, within).await });
        // An error here is the end of that thread.
        asked.await.ok().flatten()
    }

    /// Queues commands for which nobody waits, in order. Dropped, and counted, while Redis is not spoken to or when too much
    /// waits; `bytes` is what they hold about. They are written down on Redis' own thread.
    pub fn offer(&self, bytes: usize, write: impl FnOnce(&mut Pipeline) + Send + 'static) {
        self.shared.queue.offer(bytes, Box::new(write));
    }
}
