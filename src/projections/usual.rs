//! Who writes far more than usual: users, and documents that are written to. No I/O, no clock.
//!
//! What counts is a whole minute against an average of the minutes before in which the newest has an eighth of the weight. What
//! is below a floor is never remarkable. All is in memory: a process that begins anew learns anew, and remarks on nobody for
//! that before the floor is passed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Written;
use crate::ids::{DocumentId, UserId};

/// Operations in a minute below which nothing is remarkable: a person who types fast makes some 300, and a page sends them
/// gathered.
const FLOOR: u64 = 1_200;

/// How many times more than usual is far more.
const FACTOR: f64 = 10.0;

/// The weight of the newest minute.
const WEIGHT: f64 = 1.0 / 8.0;

/// Minutes after which somebody is forgotten who has written nothing.
const REMEMBERED: i64 = 60;

/// Users and documents that are remembered, each.
const MOST: usize = 65_536;

/// Minutes that operations may be old to count: what is made again from an old log says nothing of now.
const RECENT: i64 = 5;

/// Of whom something is remarkable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    User(UserId),
    Document(DocumentId),
}

/// A minute that is far above what was usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    pub of: Kind,
    /// Operations in the minute so far.
    pub ops: u64,
    /// What was usual in a minute.
    pub usual: f64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Usual {
    rates: HashMap<Kind, Rate>,
    /// When those were forgotten last who have been silent.
    tidied: i64,
}

#[derive(Debug)]
struct Rate {
    minute: i64,
    ops: u64,
    usual: f64,
    /// It was said of this minute already.
    told: bool,
}

impl Usual {
    /// Takes in what was written, and returns what is remarkable in it: of each user and document once in a minute. `now` is in
    /// minutes since the Unix epoch.
    pub fn note(&mut self, written: &[Written], now: i64) -> Vec<Anomaly> {
        self.tidy(now);
        let mut anomalies = Vec::new();
        for one in written.iter().filter(|one| one.minute > now - RECENT) {
            for of in [Kind::User(one.user.clone()), Kind::Document(one.doc.clone())] {
                anomalies.extend(self.count(of, one.minute, one.ops));
            }
        }
        anomalies
    }

    fn count(&mut self, of: Kind, minute: i64, ops: u64) -> Option<Anomaly> {
        let full = self.rates.len() >= 2 * MOST;
        let rate = match self.rates.entry(of.clone()) {
            // Who is not remembered is not remarked on.
            Entry::Vacant(_) if full => return None,
            Entry::Vacant(vacant) => vacant.insert(Rate { minute, ops: 0, usual: 0.0, told: false }),
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        rate.come_to(minute);
        rate.ops += ops;
        let far_above = rate.ops > FLOOR && rate.ops as f64 > FACTOR * rate.usual;
        (far_above && !std::mem::replace(&mut rate.told, true)).then_some(Anomaly {
            of,
            ops: rate.ops,
            usual: rate.usual,
        })
    }

    fn tidy(&mut self, now: i64) {
        if self.tidied != now {
            self.tidied = now;
            self.rates.retain(|_, rate| rate.minute > now - REMEMBERED);
        }
    }
}

impl Rate {
    /// Closes the minutes before. What comes late counts for the minute that is open.
    fn come_to(&mut self, minute: i64) {
        if minute <= self.minute {
            return;
        }
        self.usual += (self.ops as f64 - self.usual) * WEIGHT;
        let silent = i32::try_from(minute - self.minute - 1).unwrap_or(i32::MAX);
        self.usual *= (1.0 - WEIGHT).powi(silent);
        (self.minute, self.ops, self.told) = (minute, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(user: &str, doc: &str, minute: i64, ops: u64) -> Written {
        Written { doc: doc.parse().unwrap(), minute, user: UserId(user.into()), ops }
    }

    fn remarked(anomalies: &[Anomaly]) -> Vec<&str> {
        let kinds = anomalies.iter().map(|one| match &one.of {
            Kind::User(_) => "user",
            Kind::Document(_) => "document",
        });
        kinds.collect()
    }

    #[test]
    fn far_more_than_usual_is_told_once_a_minute_with_what_is_usual() {
        let mut usual = Usual::default();
        for minute in 0..30 {
            assert_eq!(usual.note(&[written("a", "doc", minute, 200)], minute), []);
        }
        let first = usual.note(&[written("a", "doc", 30, 2_100)], 30);
        assert_eq!(remarked(&first), ["user", "document"]);
        assert!(first.iter().all(|one| one.ops == 2_100 && (150.0..200.0).contains(&one.usual)), "{first:?}");
        assert_eq!(usual.note(&[written("a", "doc", 30, 2_100)], 30), []);
        assert_eq!(usual.note(&[written("a", "doc", 31, 2_100)], 31), [], "it is getting usual");
    }

    #[test]
    fn what_is_usual_however_much_and_what_is_little_is_not_told() {
        let mut usual = Usual::default();
        assert_eq!(
            usual.note(&[written("robot", "feed", 50, FLOOR)], 50),
            [],
            "nobody is remarkable for that"
        );
        for minute in 100..130 {
            let told = usual.note(&[written("robot", "feed", minute, 20_000)], minute);
            assert_eq!(told.is_empty(), minute > 100, "of the first minute alone: {minute}");
        }
    }

    #[test]
    fn many_users_of_one_document_are_remarkable_as_a_document() {
        let mut usual = Usual::default();
        let crowd: Vec<_> = (0..20).map(|n| written(&format!("user-{n}"), "doc", 7, 100)).collect();
        let told = usual.note(&crowd, 7);
        assert_eq!(remarked(&told), ["document"]);
    }

    #[test]
    fn what_is_old_says_nothing_of_now_and_the_silent_are_forgotten() {
        let mut usual = Usual::default();
        assert_eq!(usual.note(&[written("a", "doc", 10, 50_000)], 10 + RECENT), []);
        usual.note(&[written("a", "doc", 100, 1)], 100);
        assert_eq!(usual.rates.len(), 2);
        usual.note(&[], 100 + REMEMBERED);
        assert!(usual.rates.is_empty());
    }
}
