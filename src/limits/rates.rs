//! One kind of rate, for everybody: a bucket each, and the ones that servers share.

use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use prometheus::IntCounter;

use super::bucket::{Bucket, shared};
use super::table::Table;
use crate::redis::buckets::{Buckets, Rate, Taken};

/// See the module's documentation. Callers are told apart by what they are and written as they read.
pub struct Rates {
    /// What is limited: `rate:NAME:CALLER` is the key in Redis.
    name: &'static str,
    rate: Rate,
    table: Table<Bucket>,
    shared: Option<Buckets>,
    refused: IntCounter,
}

impl Rates {
    /// Limits so many callers, those who use most of it, to a rate. Who is put off is counted.
    pub fn new(
        name: &'static str,
        rate: Rate,
        callers: usize,
        shared: Option<Buckets>,
        refused: IntCounter,
    ) -> Self {
        let table = Table::new(callers, move |bucket: &Bucket, now| bucket.missing(now, rate));
        Self { name, rate, table, shared, refused }
    }

    fn with<T>(&self, key: u64, work: impl FnOnce(&mut Bucket, Instant) -> T) -> T {
        let now = Instant::now();
        self.table.with(key, now, || Bucket::full(self.rate, now), |bucket| work(bucket, now))
    }

    fn shared_name(&self, caller: &(impl Display + ?Sized)) -> String {
        format!("{}:{caller}", self.name)
    }

    /// Takes one at once; other servers are told beside it, now and then.
    ///
    /// # Errors
    /// The milliseconds until it may be asked for again.
    pub fn take(self: &Arc<Self>, caller: &(impl Hash + Display + ?Sized)) -> Result<(), u64> {
        let key = self.table.key(caller);
        let due: Result<u32, u64> = self.with(key, |bucket, now| {
            bucket.take(now, self.rate)?;
            Ok(if self.shared.is_some() { bucket.due(self.rate) } else { 0 })
        });
        let due = due.inspect_err(|_| self.refused.inc())?;
        if let Some(buckets) = self.shared.as_ref().filter(|_| due > 0) {
            let (rates, buckets, name) = (self.clone(), buckets.clone(), self.shared_name(caller));
            tokio::spawn(async move {
                let taken = buckets.take(&name, due.into(), shared(rates.rate)).await;
                if let Taken::No { retry_after_ms } = taken {
                    rates.with(key, |bucket, now| bucket.owe(due, retry_after_ms, now, rates.rate));
                }
            });
        }
        Ok(())
    }

    /// Takes one of what is rare: other servers are asked first.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub async fn take_from_all(&self, caller: &(impl Hash + Display + ?Sized)) -> Result<(), u64> {
        let key = self.table.key(caller);
        let here = self.with(key, |bucket, now| bucket.take(now, self.rate));
        here.inspect_err(|_| self.refused.inc())?;
        let Some(buckets) = &self.shared else { return Ok(()) };
        match buckets.take(&self.shared_name(caller), 1.0, self.rate).await {
            Taken::No { retry_after_ms } => {
                self.with(key, |bucket, now| bucket.owe(0, retry_after_ms, now, self.rate));
                self.refused.inc();
                Err(retry_after_ms)
            }
            Taken::Yes | Taken::Unknown => Ok(()),
        }
    }

    /// Tells in how many milliseconds one could be taken, as far as this server knows; `None`: now.
    pub fn wait(&self, caller: &(impl Hash + ?Sized)) -> Option<u64> {
        let wait = self.table.look(self.table.key(caller), |bucket| bucket.wait(Instant::now(), self.rate));
        wait.filter(|ms| *ms > 0)
    }

    /// Gives one back that was taken by [`Self::take_from_all`], here and to all.
    pub async fn give_back(&self, caller: &(impl Hash + Display + ?Sized)) {
        self.with(self.table.key(caller), |bucket, now| bucket.give_back(now, self.rate));
        if let Some(buckets) = &self.shared {
            // If Redis does not answer, it has most likely not been charged either.
            let _ = buckets.take(&self.shared_name(caller), -1.0, self.rate).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(burst: f64) -> Arc<Rates> {
        let refused = IntCounter::new("refused", "for a test").unwrap();
        // Never refilled while a test runs.
        Arc::new(Rates::new("test", Rate { per_second: 0.01, burst }, 64, None, refused))
    }

    #[tokio::test]
    async fn each_caller_has_a_bucket_and_refusals_are_counted() {
        let rates = rates(2.0);
        for caller in ["a", "b"] {
            assert!(rates.take(caller).is_ok() && rates.take_from_all(caller).await.is_ok());
            assert!(rates.take(caller).is_err() && rates.take_from_all(caller).await.is_err());
            assert!(rates.wait(caller).is_some());
        }
        assert_eq!(rates.refused.get(), 4);
        assert_eq!(rates.wait("c"), None);
        rates.give_back("a").await;
        assert_eq!(rates.wait("a"), None);
        assert!(rates.take("a").is_ok() && rates.take("b").is_err());
    }
}
