//! How much of something each network has: none gets more than its share, and gives it back when it is dropped.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Network;

/// Remembers those alone who have something.
pub struct Shares {
    most: usize,
    taken: Mutex<HashMap<Network, usize>>,
}

/// What somebody has until this is dropped.
pub struct Share {
    shares: Arc<Shares>,
    network: Network,
    amount: usize,
}

impl Shares {
    /// Lets every network have so much.
    pub fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// Begins with nothing.
    pub fn of(self: &Arc<Self>, network: Network) -> Share {
        Share { shares: self.clone(), network, amount: 0 }
    }
}

impl Share {
    /// Takes so much more; tells whether the network may have it.
    pub fn grow(&mut self, by: usize) -> bool {
        let mut all = self.shares.taken.lock();
        let taken = all.entry(self.network).or_default();
        if *taken + by > self.shares.most {
            if *taken == 0 {
                all.remove(&self.network);
            }
            return false;
        }
        *taken += by;
        self.amount += by;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.amount == 0 {
            return;
        }
        let mut all = self.shares.taken.lock();
        if let Some(taken) = all.get_mut(&self.network) {
            *taken -= self.amount;
            if *taken == 0 {
                all.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_share_and_others_theirs() {
        let shares = Arc::new(Shares::new(10));
        let network = |text: &str| Network::from(text.parse::<std::net::IpAddr>().unwrap());
        let (mut one, mut two) = (shares.of(network("192.0.2.1")), shares.of(network("192.0.2.1")));
        let mut other = shares.of(network("192.0.2.2"));
        assert!(one.grow(6) && !two.grow(5) && two.grow(4) && other.grow(10));
        assert!(!one.grow(1));
        drop(two);
        assert!(one.grow(4));
        drop((one, other));
        assert!(shares.taken.lock().is_empty(), "nobody is remembered who has nothing");
    }
}
