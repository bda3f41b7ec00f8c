//! Settings of Redis.

use std::time::Duration;

use clap::{Args, value_parser};

use super::Secret;
use crate::redis::{RedisAddressError, RedisOptions};

/// A Redis beside the database, for what may be lost.
#[derive(Args, Clone, Debug)]
pub struct RedisSettings {
    /// Redis that caches documents and shares presence and rate limits between servers, redis://[USER:PASSWORD@]HOST:PORT/;
    /// without one quire is slower where documents are read that are not in memory, and not wrong.
    #[arg(long, env = "QUIRE_REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub redis_url: Option<Secret>,

    /// How long a reader waits for Redis before it does without, in milliseconds.
    #[arg(
        long,
        env = "QUIRE_REDIS_TIMEOUT_MS",
        default_value_t = 50,
        value_name = "MS",
        value_parser = value_parser!(u64).range(1..=10_000)
    )]
    pub redis_timeout_ms: u64,
}

impl RedisSettings {
    /// Returns how Redis is to be used; `None` when it is not.
    ///
    /// # Errors
    /// The address is none.
    pub fn options(&self) -> Result<Option<RedisOptions>, RedisAddressError> {
        let url = self.redis_url.as_ref().filter(|url| !url.expose().is_empty());
        let Some(url) = url else { return Ok(None) };
        let read_within = Duration::from_millis(self.redis_timeout_ms);
        Ok(Some(RedisOptions::new(url.expose())?.waiting(read_within)))
    }
}
