//! Token buckets that all servers share.

use deadpool_redis::redis::Pipeline;

use super::Redis;

/// Sent whole each time: Redis keeps what it has compiled under the script's hash, and one that has been flushed or started
/// anew needs no second exchange.
const TAKE: &str = include_str!("take_tokens.lua");

/// How fast tokens come back, and how many there are at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Tokens a second, above 0.
    pub per_second: f64,
    /// Tokens of a full bucket.
    pub burst: f64,
}

/// What a shared bucket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It had them.
    Yes,
    /// It had not, and nothing was taken; it will have them in so many milliseconds, if nobody else takes them first.
    No { retry_after_ms: u64 },
    /// Redis does not answer: a bucket of this server's own has to do.
    Unknown,
}

/// See the module's documentation.
#[derive(Clone)]
pub struct Buckets {
    redis: Redis,
}

impl Buckets {
    /// Keeps buckets in this Redis.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Takes `cost` tokens from the bucket of this name, all or none. `name` says what is limited and whom, as in
    /// `ops:DOCUMENT:CLIENT`; its key is `rate:` and the name, and expires when the bucket is full again.
    pub async fn take(&self, name: &str, cost: f64, rate: Rate) -> Taken {
        let mut commands = Pipeline::new();
        let key = format!("rate:{name}");
        commands.cmd("EVAL").arg(TAKE).arg(1).arg(key).arg(cost).arg(rate.per_second).arg(rate.burst);
        match self.redis.ask::<(u64,)>(commands).await {
            Some((0,)) => Taken::Yes,
            Some((retry_after_ms,)) => Taken::No { retry_after_ms },
            None => Taken::Unknown,
        }
    }
}
