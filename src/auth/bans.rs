//! Whom this server does not serve: people with a token, and networks.
//!
//! Read from the database in the background; what was banned or lifted by this server holds here at once.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use parking_lot::RwLock;

use crate::actors::error::{ErrorCode, Refusal};
use crate::ids::{Millis, UserId};
use crate::storage::StoreError;
use crate::storage::accounts::Accounts;
use crate::storage::accounts::restraints::{Ban, Banned, MAX_BANS};

/// See the module's documentation.
#[derive(Default)]
pub struct Bans {
    held: RwLock<Held>,
    /// One reads at a time, so that the last one to end has seen the most.
    reading: tokio::sync::Mutex<()>,
    /// Rises when there are more, so that open sessions are looked at only then.
    generation: Arc<AtomicU64>,
}

/// With when each of them ends.
#[derive(Default)]
struct Held {
    users: HashMap<UserId, Option<Millis>>,
    networks: HashMap<IpNet, Option<Millis>>,
    /// The lengths of the prefixes in `networks`: each is one look.
    lengths: HashSet<u8>,
}

impl Bans {
    /// Returns what rises when there are more.
    pub fn generation(&self) -> Arc<AtomicU64> {
        self.generation.clone()
    }

    /// Tells whether somebody with a token is banned.
    pub fn holds_user(&self, user: &UserId, now: Millis) -> bool {
        self.held.read().users.get(user).is_some_and(|end| holds(*end, now))
    }

    /// Tells whether those who come from an address are.
    pub fn holds_address(&self, address: IpAddr, now: Millis) -> bool {
        let held = self.held.read();
        let address = address.to_canonical();
        held.lengths.iter().any(|length| {
            // A length of the other family's prefixes may be none of this one.
            let network = IpNet::new(address, *length).map(|network| network.trunc());
            network.is_ok_and(|network| held.networks.get(&network).is_some_and(|end| holds(*end, now)))
        })
    }

    /// Reads the bans that hold.
    ///
    /// # Errors
    /// Storage does not oblige; what is known stays.
    pub async fn refresh(&self, store: &dyn Accounts, now: Millis) -> Result<(), StoreError> {
        let _turn = self.reading.lock().await;
        let read = Held::from(store.bans(now, None, MAX_BANS).await?);
        let mut held = self.held.write();
        let more = read.users.keys().any(|user| !held.users.contains_key(user))
            || read.networks.keys().any(|network| !held.networks.contains_key(network));
        *held = read;
        if more {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

/// What somebody is told who is banned: not why, and not for how long.
pub fn banned() -> Refusal {
    Refusal::new(ErrorCode::Forbidden, "this server does not serve you: ask whoever looks after it")
}

fn holds(end: Option<Millis>, now: Millis) -> bool {
    end.is_none_or(|end| now < end)
}

impl From<Vec<Ban>> for Held {
    fn from(bans: Vec<Ban>) -> Self {
        let mut held = Self::default();
        for Ban { who, expires_at, .. } in bans {
            match who {
                Banned::User(user) => drop(held.users.insert(user, expires_at)),
                Banned::Network(network) => {
                    let network = network.trunc();
                    held.lengths.insert(network.prefix_len());
                    held.networks.insert(network, expires_at);
                }
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(networks: &[&str]) -> Bans {
        let ban = |network: &&str| Ban {
            id: (*network).to_owned(),
            who: Banned::Network(network.parse().unwrap()),
            reason: String::new(),
            made_by: UserId("root".into()),
            made_at: 0,
            expires_at: Some(10),
        };
        let held = Held::from(networks.iter().map(ban).collect::<Vec<_>>());
        Bans { held: RwLock::new(held), ..Bans::default() }
    }

    #[test]
    fn a_ban_holds_for_all_of_its_network_and_until_it_ends() {
        let bans = held(&["192.0.2.0/24", "198.51.100.7/32", "2001:db8:1::/48"]);
        for (address, expected) in [
            ("192.0.2.200", true),
            ("::ffff:192.0.2.200", true),
            ("192.0.3.1", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:1:2::3", true),
            ("2001:db8:2::3", false),
        ] {
            assert_eq!(bans.holds_address(address.parse().unwrap(), 9), expected, "{address}");
        }
        assert!(!bans.holds_address("192.0.2.200".parse().unwrap(), 10));
    }

    #[test]
    fn all_of_a_family_can_be_banned_and_the_other_is_not() {
        let bans = held(&["0.0.0.0/0"]);
        assert!(bans.holds_address("203.0.113.1".parse().unwrap(), 0));
        assert!(!bans.holds_address("2001:db8::1".parse().unwrap(), 0));
    }
}
