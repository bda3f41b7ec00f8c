//! Lets those who want the same thing at the same time share one making of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// See the module's documentation. Nothing is kept: once all who shared it have it, it is forgotten.
pub struct Flights<K, V> {
    under_way: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
}

impl<K: Eq + Hash + Clone, V: Clone> Flights<K, V> {
    pub fn new() -> Self {
        Self { under_way: Mutex::default() }
    }

    /// Returns what `make` makes, or what somebody else's does that began before this call. If that one gives up in the
    /// middle, the next one begins anew.
    pub async fn share(&self, key: K, make: impl Future<Output = V>) -> V {
        let cell = self.under_way.lock().entry(key.clone()).or_default().clone();
        let flight = Flight { flights: self, key, cell };
        flight.cell.get_or_init(|| make).await.clone()
    }
}

/// Forgets a flight when the last of those who share it has landed or given up.
struct Flight<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: K,
    cell: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Drop for Flight<'_, K, V> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way.lock();
        // The map's and this one. Cells are taken from the map under the lock only, so that nobody joins meanwhile.
        if Arc::strong_count(&self.cell) == 2 {
            under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join;
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn those_who_come_together_share_one_and_who_comes_later_has_another() {
        let (flights, made) = (Flights::new(), Cell::new(0));
        let make = || async {
            tokio::task::yield_now().await;
            made.set(made.get() + 1);
            made.get()
        };
        assert_eq!(join(flights.share("a", make()), flights.share("a", make())).await, (1, 1));
        assert_eq!(flights.share("a", make()).await, 2);
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test]
    async fn when_the_first_gives_up_the_next_begins() {
        let flights = Flights::new();
        {
            let mut first = std::pin::pin!(flights.share("a", std::future::pending::<i32>()));
            assert!(poll!(&mut first).is_pending());
        }
        assert!(flights.under_way.lock().is_empty());
        assert_eq!(flights.share("a", async { 7 }).await, 7);
    }
}
