//! The connections: lent for one exchange each, and what their answers, or the lack of them, say of Redis.

use std::time::Duration;

use deadpool::managed;
use deadpool_redis::redis::{AsyncConnectionConfig, ErrorKind, FromRedisValue, Pipeline, RedisError};
use deadpool_redis::{PoolConfig, Runtime, TimeoutType, Timeouts};

use super::RedisOptions;
use super::breaker::Breaker;
use super::connector::Connector;
use super::error::RedisAddressError;
use crate::metrics::METRICS;

/// Connections: each carries one exchange at a time, of which a thousand a second fit.
const CONNECTIONS: usize = 16;

/// How long to wait for one of them, less than anybody waits for an answer. Whoever gets none has met a crowd, and that says
/// nothing of Redis.
const WAIT: Duration = Duration::from_millis(20);

/// How long connecting may take, where the caller does not give up before.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// See the module's documentation.
pub struct Link {
    pool: managed::Pool<Connector>,
    pub breaker: Breaker,
    /// Host and port, for the log.
    pub place: String,
}

/// How an exchange can fail.
enum Failure {
    /// Redis has answered, and declines: it has no memory left, or is loading.
    Declined(RedisError),
    /// There was no answer, or none that is Redis'.
    Lost(RedisError),
    TimedOut,
    /// All connections are lent.
    Busy,
}

impl Link {
    pub fn new(options: &RedisOptions) -> Result<Self, RedisAddressError> {
        let place = options.info.addr().to_string();
        // Each exchange has a time-out of its own, whatever part of it takes long.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(None);
        let connector = Connector::new(options, config)?;
        let timeouts =
            Timeouts { wait: Some(WAIT), create: Some(CONNECT_WITHIN), recycle: Some(CONNECT_WITHIN) };
        let pool = managed::Pool::builder(connector)
            .config(PoolConfig { timeouts, ..PoolConfig::new(CONNECTIONS) })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| RedisAddressError::new(error.to_string()))?;
        Ok(Self { pool, breaker: Breaker::new(), place })
    }

    /// Makes one exchange, and takes note of how it went. Runs on Redis' own thread: what drives a connection stays where it
    /// was made.
    pub async fn ask<T: FromRedisValue>(&self, commands: &Pipeline, within: Duration) -> Option<T> {
        match self.exchange(commands, within).await {
            Ok(answer) => {
                self.breaker.succeed();
                Some(answer)
            }
            Err(failure) => {
                self.note(&failure);
                None
            }
        }
    }

    /// Asks whether anybody is there, over a new connection: those from before are closed.
    ///
    /// # Errors
    /// Why nothing is to be had of it, in words: nobody answers, or somebody who cannot prove who it is or takes another
    /// password.
    pub async fn probe(&self, within: Duration) -> Result<(), String> {
        self.pool.retain(|_, _| false);
        let mut ping = Pipeline::new();
        ping.cmd("PING");
        let answer = self.exchange::<(String,)>(&ping, within).await;
        answer.map(|_| ()).map_err(|failure| {
            failure.count();
            failure.reason()
        })
    }

    async fn exchange<T: FromRedisValue>(&self, commands: &Pipeline, within: Duration) -> Result<T, Failure> {
        let exchange = async {
            let mut connection = self.pool.get().await.map_err(Failure::from)?;
            commands.query_async::<T>(&mut *connection).await.map_err(Failure::from)
        };
        tokio::time::timeout(within, exchange).await.unwrap_or(Err(Failure::TimedOut))
    }

    fn note(&self, failure: &Failure) {
        failure.count();
        match failure {
            Failure::Declined(_) => {
                self.breaker.succeed();
                tracing::debug!(reason = failure.reason(), "Redis declines");
            }
            Failure::Busy => {}
            Failure::Lost(_) | Failure::TimedOut => {
                if self.breaker.fail() {
                    let (redis, reason) = (&self.place, failure.reason());
                    tracing::warn!(redis, reason, "Redis does not answer: going on without it");
                }
            }
        }
    }
}

impl Failure {
    fn count(&self) {
        let kind = match self {
            Self::Declined(_) => "declined",
            Self::Lost(_) => "lost",
            Self::TimedOut => "timeout",
            Self::Busy => "busy",
        };
        METRICS.redis_failures.with_label_values(&[kind]).inc();
    }

    fn reason(&self) -> String {
        match self {
            Self::Declined(error) | Self::Lost(error) => error.to_string(),
            Self::TimedOut => "it takes too long".into(),
            Self::Busy => "all connections are in use".into(),
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
                Self::Declined(error)
            }
            _ if error.is_timeout() => Self::TimedOut,
            _ => Self::Lost(error),
        }
    }
}

impl From<managed::PoolError<RedisError>> for Failure {
    fn from(error: managed::PoolError<RedisError>) -> Self {
        match error {
            managed::PoolError::Backend(error) => match Self::from(error) {
                // No connection was made: a password is wrong, say.
                Self::Declined(error) => Self::Lost(error),
                other => other,
            },
            managed::PoolError::Timeout(TimeoutType::Wait) => Self::Busy,
            _ => Self::TimedOut,
        }
    }
}
