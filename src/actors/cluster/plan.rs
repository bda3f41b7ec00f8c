//! Who should have which shard: everybody who sees the same members comes to the same answer. No I/O, no clock.
//!
//! Rendezvous hashing: a shard is for the member whose hash with it is the highest. A member that comes takes its share from all, one
//! that goes leaves its share to all, and nothing moves between those who stay. Members are hashed by their addresses, so that a server
//! which is started again has what it had.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::ids::Shard;
use crate::storage::cluster::{Member, Standing};

/// Who should have what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    /// Those who are there and stay.
    ready: Vec<&'a Member>,
    /// Of each shard; `None` while nobody is there who could.
    owners: Vec<Option<&'a str>>,
}

impl<'a> Plan<'a> {
    /// Makes the plan of what there is.
    pub fn of(standing: &'a Standing) -> Self {
        let ready = ready(&standing.members);
        let owner = |shard| {
            let pinned = standing.holders.get(usize::from(shard)).and_then(|holder| holder.pinned.as_deref());
            let pinned = pinned.filter(|pinned| ready.iter().any(|member| member.node == *pinned));
            pinned.or_else(|| nearest(shard, &ready))
        };
        Self { owners: (0..=Shard::MAX).map(owner).collect(), ready }
    }

    /// Who should have a shard; `None` while nobody is there who could.
    pub fn owner(&self, shard: Shard) -> Option<&'a str> {
        self.owners[usize::from(shard)]
    }

    /// Lists what this server should have and has not: what nobody serves first, all of it; then what is taken from servers that are
    /// there, at most `most` of it, what was moved by hand first.
    pub fn wanted(
        &self,
        standing: &Standing,
        node: &str,
        has: impl Fn(Shard) -> bool,
        most: usize,
    ) -> Vec<Shard> {
        let planned = (0..=Shard::MAX).zip(&self.owners).filter(|(_, owner)| **owner == Some(node));
        let missing = planned.map(|(shard, _)| shard).filter(|shard| !has(*shard));
        let is_served = |shard: &Shard| {
            let holder = &standing.holders[usize::from(*shard)].node;
            holder != node && self.ready.iter().any(|member| member.node == *holder)
        };
        let (mut served, mut wanted): (Vec<_>, Vec<_>) = missing.partition(is_served);
        served.sort_by_key(|shard| standing.holders[usize::from(*shard)].pinned.as_deref() != Some(node));
        wanted.extend(served.into_iter().take(most));
        wanted
    }
}

/// Those who are there and stay. Of two with one address the one that has started last counts: the other has crashed.
fn ready(members: &[Member]) -> Vec<&Member> {
    let mut newest: HashMap<&str, &Member> = HashMap::new();
    for member in members.iter().filter(|member| member.is_alive()) {
        let place = newest.entry(&member.url).or_insert(member);
        if (member.started_at, &member.node) > (place.started_at, &place.node) {
            *place = member;
        }
    }
    newest.into_values().filter(|member| !member.draining).collect()
}

fn nearest<'a>(shard: Shard, ready: &[&'a Member]) -> Option<&'a str> {
    let nearest = ready.iter().max_by_key(|member| (weight(shard, &member.url), &member.url));
    nearest.map(|member| member.node.as_str())
}

fn weight(shard: Shard, url: &str) -> u64 {
    xxh3_64_with_seed(url.as_bytes(), u64::from(shard))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SHARDS;
    use crate::storage::cluster::{ALIVE_FOR, Holder};

    /// How many shards each member should have.
    fn shares(plan: &Plan<'_>) -> HashMap<String, usize> {
        let mut shares = HashMap::new();
        for owner in plan.owners.iter().flatten() {
            *shares.entry((*owner).to_owned()).or_default() += 1;
        }
        shares
    }

    fn member(name: &str) -> Member {
        Member {
            node: format!("node-{name}"),
            url: format!("http://{name}:8080"),
            started_at: 1,
            silent_for: 0,
            draining: false,
        }
    }

    fn standing(names: &[&str]) -> Standing {
        let members = names.iter().map(|name| member(name)).collect();
        Standing { members, holders: vec![Holder::default(); SHARDS] }
    }

    #[test]
    fn everybody_has_a_share_and_those_who_stay_keep_theirs() {
        let (two, three) = (standing(&["a", "b"]), standing(&["a", "b", "c"]));
        let (two, three) = (Plan::of(&two), Plan::of(&three));
        for (shares, least) in [(shares(&two), 90), (shares(&three), 55)] {
            assert!(shares.values().all(|share| *share >= least), "{shares:?}");
        }
        for (before, after) in two.owners.iter().zip(&three.owners) {
            assert!(before == after || *after == Some("node-c"), "{before:?} to {after:?}");
        }
    }

    #[test]
    fn who_is_silent_or_drains_has_nothing_and_nobody_is_left_alone() {
        let mut there = standing(&["a", "b", "c"]);
        there.members[0].silent_for = ALIVE_FOR;
        there.members[1].draining = true;
        assert_eq!(shares(&Plan::of(&there)), [("node-c".to_owned(), SHARDS)].into());
        there.members[2].draining = true;
        assert_eq!(shares(&Plan::of(&there)), [].into());
    }

    #[test]
    fn a_server_that_is_started_again_has_what_it_had() {
        let mut there = standing(&["a", "b"]);
        let before = shares(&Plan::of(&there))["node-a"];
        // Its last run was seen a moment ago.
        there.members.push(Member { node: "node-again".into(), started_at: 2, ..member("a") });
        let after = shares(&Plan::of(&there));
        assert_eq!((after.get("node-a"), after["node-again"]), (None, before));
        for holder in &mut there.holders {
            holder.node = "node-a".into();
        }
        let wanted = Plan::of(&there).wanted(&there, "node-again", |_| false, 5);
        assert_eq!(wanted.len(), before, "and nobody waits for that");
    }

    #[test]
    fn what_was_moved_stays_there_as_long_as_it_is_there() {
        let mut there = standing(&["a", "b"]);
        for holder in &mut there.holders {
            holder.pinned = Some("node-b".into());
        }
        assert_eq!(shares(&Plan::of(&there)), [("node-b".to_owned(), SHARDS)].into());
        there.members[1].silent_for = ALIVE_FOR;
        assert_eq!(shares(&Plan::of(&there)), [("node-a".to_owned(), SHARDS)].into());
    }

    #[test]
    fn what_nobody_serves_is_taken_at_once_and_the_rest_bit_by_bit() {
        let mut there = standing(&["a", "b"]);
        for (shard, holder) in there.holders.iter_mut().enumerate() {
            holder.node = if shard < 128 { "node-a" } else { "node-gone" }.into();
        }
        let of = |there: &Standing| -> Vec<Shard> { Plan::of(there).wanted(there, "node-b", |_| false, 5) };
        let wanted = of(&there);
        let (free, taken): (Vec<_>, Vec<_>) = wanted.iter().copied().partition(|shard| *shard >= 128);
        assert!(free.len() > 30 && taken.len() == 5, "{wanted:?}");
        there.holders[3].pinned = Some("node-b".into());
        there.holders[120].pinned = Some("node-b".into());
        assert!(
            [3, 120].iter().all(|pinned| of(&there).contains(pinned)),
            "what somebody waits for is first"
        );
        there.members[0].draining = true;
        assert_eq!(of(&there).len(), SHARDS, "of a server that stops everything");
        let plan = Plan::of(&there);
        assert_eq!(plan.wanted(&there, "node-b", |_| true, 5), [0; 0], "what it has it does not take");
    }
}
