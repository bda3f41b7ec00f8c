//! Token buckets that all servers share.

use std::time::Duration;

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

    /// Takes `cost` tokens from the bucket of this name, all or none; less than 0 puts some back. `name` says what is limited
    /// and whom, as in `operations:USER`; its key is `rate:` and the name, and expires when the bucket is full again.
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

    /// Has all servers know this name for a while; nobody waits for that.
    pub fn remember(&self, name: &str, time: Duration) {
        let key = format!("rate:{name}");
        self.redis.offer(key.len(), move |commands| {
            commands.cmd("SET").arg(key).arg(1).arg("EX").arg(time.as_secs());
        });
    }

    /// Tells whether any server has had this name remembered; no, when Redis does not answer.
    pub async fn remembers(&self, name: &str) -> bool {
        let mut commands = Pipeline::new();
        commands.cmd("EXISTS").arg(format!("rate:{name}"));
        self.redis.ask::<(bool,)>(commands).await.is_some_and(|(known,)| known)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use deadpool_redis::redis::{Client, cmd};

    use super::*;
    use crate::redis::RedisOptions;

    /// Never refilled while a test runs.
    const SLOW: Rate = Rate { per_second: 0.01, burst: 10.0 };

    fn url() -> String {
        let url = std::env::var("QUIRE_TEST_REDIS");
        url.expect("QUIRE_TEST_REDIS names a Redis: scripts/services/redis with cargo test")
    }

    fn name(what: &str) -> String {
        format!("{what}-{}", std::process::id())
    }

    /// What one server has of it.
    async fn buckets() -> Buckets {
        // A busy machine is not what is tested.
        let patience = Duration::from_secs(20);
        let options = RedisOptions::new(&url()).unwrap().waiting(patience);
        let redis = Redis::start(&options).unwrap();
        let deadline = Instant::now() + patience;
        while !redis.is_up() {
            assert!(Instant::now() < deadline, "Redis does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Buckets::new(redis)
    }

    #[tokio::test]
    async fn servers_take_from_one_bucket_and_no_more_than_it_holds() {
        let (here, there) = (buckets().await, buckets().await);
        let name = name("shared");
        let mut taken = 0;
        for n in 0..40 {
            let server = if n % 2 == 0 { &here } else { &there };
            if server.take(&name, 1.0, SLOW).await == Taken::Yes {
                taken += 1;
            }
        }
        assert_eq!(taken, 10);
        let Taken::No { retry_after_ms } = there.take(&name, 1.0, SLOW).await else { panic!("it is empty") };
        assert!((50_000..=100_000).contains(&retry_after_ms), "{retry_after_ms} ms");
        let mut redis = Client::open(url()).unwrap().get_connection().unwrap();
        let ttl: i64 = cmd("PTTL").arg(format!("rate:{name}")).query(&mut redis).unwrap();
        assert!((900_000..=1_001_000).contains(&ttl), "it expires when it is full again: {ttl} ms");
    }

    #[tokio::test]
    async fn all_or_none_is_taken_and_it_comes_back_with_time() {
        let buckets = buckets().await;
        let name = name("whole");
        assert_eq!(buckets.take(&name, 8.0, SLOW).await, Taken::Yes);
        assert!(matches!(buckets.take(&name, 3.0, SLOW).await, Taken::No { .. }));
        assert_eq!(buckets.take(&name, 2.0, SLOW).await, Taken::Yes);
        // The same bucket at a rate at which it is full at once.
        let fast = Rate { per_second: 1e9, burst: 10.0 };
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(buckets.take(&name, 10.0, fast).await, Taken::Yes);
    }

    #[tokio::test]
    async fn what_is_put_back_can_be_taken_again_and_no_more_than_that() {
        let buckets = buckets().await;
        let name = name("back");
        assert_eq!(buckets.take(&name, 10.0, SLOW).await, Taken::Yes);
        assert_eq!(buckets.take(&name, -1.0, SLOW).await, Taken::Yes);
        assert_eq!(buckets.take(&name, 1.0, SLOW).await, Taken::Yes);
        assert!(matches!(buckets.take(&name, 1.0, SLOW).await, Taken::No { .. }));
        assert_eq!(buckets.take(&name, -50.0, SLOW).await, Taken::Yes);
        assert!(matches!(buckets.take(&name, 10.5, SLOW).await, Taken::No { .. }), "it is full");
    }

    #[tokio::test]
    async fn what_is_remembered_is_known_to_all_servers() {
        let (here, there) = (buckets().await, buckets().await);
        let name = name("known");
        assert!(!there.remembers(&name).await);
        here.remember(&name, Duration::from_mins(1));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !there.remembers(&name).await {
            assert!(Instant::now() < deadline, "it is not there");
        }
    }

    #[tokio::test]
    async fn without_redis_nothing_is_known() {
        // Nobody listens there.
        let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let redis = Redis::start(&RedisOptions::new(&format!("redis://{nowhere}/")).unwrap()).unwrap();
        let buckets = Buckets::new(redis);
        assert_eq!(buckets.take(&name("nowhere"), 1.0, SLOW).await, Taken::Unknown);
    }
}
