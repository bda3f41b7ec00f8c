//! How often somebody may fail: by account, and by address.
//!
//! An attempt counts when it begins, and is given back when it succeeds: a thousand at once are no way around. After some free ones
//! the next has to wait, twice as long each time.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

use super::secrets::hash;
use crate::ids::Millis;
use crate::storage::accounts::Hash;

/// Attempts of an account before it has to wait, and the longest wait: a stranger can keep its owner out for no longer.
const ACCOUNT: Allowance = Allowance { free: 5, longest: 300_000 };

/// The same of an address, behind which there may be many people.
const ADDRESS: Allowance = Allowance { free: 30, longest: 900_000 };

/// The same of an address whose people refresh, apart from how they sign in. Tokens cannot be guessed, so this is for the load alone.
const REFRESH: Allowance = Allowance { free: 300, longest: 60_000 };

/// The first wait, in ms.
const FIRST: Millis = 1_000;

/// After so many ms without an attempt it is as if there had been none.
const FORGOTTEN_AFTER: Millis = 3_600_000;

/// Accounts and addresses that are remembered. When there are more, those that need not wait are forgotten, and if that is not enough
/// every other one.
const REMEMBERED: usize = 100_000;

struct Allowance {
    free: u32,
    longest: Millis,
}

/// What attempts are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An account, whether there is one or not: its address is not kept.
    Account(Hash),
    Address(IpAddr),
    /// An address, for those who exchange refresh tokens: they keep nobody from signing in, and are not kept by who tries passwords.
    Refreshing(IpAddr),
}

impl Subject {
    /// Names an account by the address that somebody has given.
    pub fn account(email: &str) -> Self {
        Self::Account(hash(email.as_bytes()))
    }

    /// Names an address; of version 6 the network, since whoever has one has all of it.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(network(address))
    }

    /// The same, for an exchange of a refresh token.
    pub fn refreshing(address: IpAddr) -> Self {
        Self::Refreshing(network(address))
    }

    fn allowance(&self) -> &'static Allowance {
        match self {
            Self::Account(_) => &ACCOUNT,
            Self::Address(_) => &ADDRESS,
            Self::Refreshing(_) => &REFRESH,
        }
    }
}

#[derive(Default)]
struct Attempts {
    count: u32,
    last: Millis,
    /// None is allowed before.
    wait_until: Millis,
}

/// Counts attempts.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<Subject, Attempts>>);

impl Throttle {
    /// Counts an attempt of all of these, unless one of them has to wait.
    ///
    /// # Errors
    /// Ms to wait.
    pub fn begin(&self, subjects: &[Subject], now: Millis) -> Result<(), u64> {
        let mut all = self.0.lock();
        let waits = subjects.iter().filter_map(|subject| Some(all.get(subject)?.wait_until - now));
        if let Some(wait) = waits.max().filter(|wait| *wait > 0) {
            return Err(wait.cast_unsigned());
        }
        make_room(&mut all, now);
        for subject in subjects {
            let attempts = all.entry(*subject).or_default();
            if now - attempts.last > FORGOTTEN_AFTER {
                attempts.count = 0;
            }
            attempts.count += 1;
            attempts.last = now;
            let Allowance { free, longest } = subject.allowance();
            let beyond = attempts.count.saturating_sub(*free);
            if beyond > 0 {
                attempts.wait_until = now + (FIRST << (beyond - 1).min(20)).min(*longest);
            }
        }
        Ok(())
    }

    /// Takes back what has succeeded: an account has failed never, an address once less.
    pub fn succeed(&self, subjects: &[Subject]) {
        let mut all = self.0.lock();
        for subject in subjects {
            match subject {
                Subject::Account(_) => drop(all.remove(subject)),
                Subject::Address(_) | Subject::Refreshing(_) => {
                    if let Some(attempts) = all.get_mut(subject) {
                        attempts.count = attempts.count.saturating_sub(1);
                        attempts.wait_until = 0;
                    }
                }
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) & (u128::MAX << 64)).to_be_bytes()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn make_room(all: &mut HashMap<Subject, Attempts>, now: Millis) {
    if all.len() < REMEMBERED {
        return;
    }
    all.retain(|_, attempts| attempts.wait_until > now);
    if all.len() >= REMEMBERED {
        let mut keep = false;
        all.retain(|_, _| {
            keep = !keep;
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_twice_as_long_each_time() {
        let throttle = Throttle::default();
        let ada = [Subject::account("ada@example.org")];
        let mut now = 1_000_000;
        for _ in 0..=ACCOUNT.free {
            throttle.begin(&ada, now).unwrap();
        }
        let mut waits = Vec::new();
        for _ in 0..11 {
            let wait = throttle.begin(&ada, now).unwrap_err();
            waits.push(wait);
            now += wait.cast_signed();
            throttle.begin(&ada, now).unwrap();
        }
        assert_eq!(waits[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits[9..], [300_000, 300_000]);
        throttle.begin(&[Subject::account("eve@example.org")], now).unwrap();
        now += FORGOTTEN_AFTER + 1;
        for _ in 0..=ACCOUNT.free {
            throttle.begin(&ada, now).unwrap();
        }
    }

    #[test]
    fn success_is_given_back() {
        let throttle = Throttle::default();
        let both = [Subject::account("ada@example.org"), Subject::address([127, 0, 0, 1].into())];
        for now in 0..1_000 {
            throttle.begin(&both, now).unwrap();
            throttle.succeed(&both);
        }
    }

    #[test]
    fn an_address_waits_whatever_accounts_it_tries() {
        let throttle = Throttle::default();
        let of = |text: &str| Subject::address(text.parse().unwrap());
        for n in 0..=ADDRESS.free {
            throttle.begin(&[Subject::account(&n.to_string()), of("2001:db8::1")], 0).unwrap();
        }
        assert!(throttle.begin(&[Subject::account("x"), of("2001:db8::2")], 0).is_err());
        assert!(throttle.begin(&[Subject::account("x"), of("2001:db8:0:1::2")], 0).is_ok());
        assert!(of("::ffff:10.0.0.1") == of("10.0.0.1"));
    }

    #[test]
    fn refreshing_and_signing_in_keep_each_other_from_nothing() {
        let throttle = Throttle::default();
        let address = "192.0.2.1".parse().unwrap();
        let (signs_in, refreshes) = ([Subject::address(address)], [Subject::refreshing(address)]);
        let until_refused =
            |subject: &[Subject]| (0..).take_while(|_| throttle.begin(subject, 0).is_ok()).count();
        assert_eq!(until_refused(&signs_in), ADDRESS.free as usize + 1);
        assert_eq!(until_refused(&refreshes), REFRESH.free as usize + 1);
        let throttle = Throttle::default();
        while throttle.begin(&refreshes, 0).is_ok() {}
        throttle.begin(&signs_in, 0).unwrap();
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..REMEMBERED + 10 {
            throttle.begin(&[Subject::account(&n.to_string())], 0).unwrap();
        }
        assert!(throttle.0.lock().len() <= REMEMBERED);
    }
}
