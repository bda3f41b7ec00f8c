//! Seeded histories of one document: clients, a server's state machine, a log, and everything that can go wrong between
//! them. Half of them are the same in every run, and half are new. A failing history prints its seed;
//! `QUIRE_SEED=… cargo test --test simulation replay -- --nocapture` runs that one again and tells its story.
//! `QUIRE_HISTORIES` sets how many are run; with `QUIRE_SEED` they begin there.

#[allow(dead_code, reason = "shared with tests/actors, which uses the rest of it")]
#[path = "../actors/faulty.rs"]
mod faulty;
mod replica;
mod rng;
mod server;
mod world;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write as _;

use world::{Flaw, Outcome, World};

/// Histories run in every test run.
const HISTORIES: u64 = 4_000;

fn histories() -> u64 {
    std::env::var("QUIRE_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES)
}

/// Where the histories begin that are the same in every run.
const FIXED_SEED: u64 = 20_261_121;

fn named_seed() -> Option<u64> {
    std::env::var("QUIRE_SEED").ok().map(|text| text.parse().expect("QUIRE_SEED is a number"))
}

/// A seed that no run has had before: of at most twelve digits, for people to copy.
fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000_000_000
}

/// Runs one history. A check that fails inside of what is tested is a complaint like any other.
fn run(seed: u64, flaw: Option<Flaw>) -> Result<Outcome, String> {
    std::panic::catch_unwind(|| World::new(seed, flaw).run())
        .unwrap_or_else(|panic| Err(panic.downcast_ref::<String>().cloned().unwrap_or("it panics".into())))
}

/// Runs histories from `first` on and returns the seed and the complaint of the first that goes wrong.
fn first_failure(first: u64, count: u64, flaw: Option<Flaw>) -> Option<(u64, String)> {
    (first..first + count).find_map(|seed| run(seed, flaw).err().map(|complaint| (seed, complaint)))
}

#[test]
fn every_history_converges_exactly_once_with_nothing_acknowledged_lost() {
    let ranges = match named_seed() {
        Some(first) => vec![(first, histories())],
        None => vec![(FIXED_SEED, histories().div_ceil(2)), (fresh_seed(), histories() / 2)],
    };
    for (first, count) in ranges {
        // Printed by `println!` it is shown only of a test that fails; one that hangs or is killed has to tell it too.
        writeln!(std::io::stderr(), "histories from seed {first} on: {count}").expect("a standard error");
        if let Some((seed, complaint)) = first_failure(first, count, None) {
            panic!(
                "seed {seed}: {complaint}\nreplay: QUIRE_SEED={seed} cargo test --test simulation replay -- --nocapture"
            );
        }
    }
}

#[test]
fn replay() {
    let mut world = World::new(named_seed().unwrap_or(FIXED_SEED), None);
    world.tell = named_seed().is_some();
    let Outcome { versions, crashes, refused_commits, unknown_commits, reconnects, resent, snapshots } =
        world.run().expect("this history goes wrong");
    println!(
        "{versions} versions, {crashes} crashes, {refused_commits} refused and {unknown_commits} unknown commits, \
         {reconnects} reconnects, {resent} resends, {snapshots} snapshots"
    );
}

#[test]
fn the_histories_are_rough_enough() {
    let mut total = Outcome::default();
    for seed in 0..200 {
        total.add(&World::new(seed, None).run().expect("a plain history"));
    }
    assert!(total.versions > 1_500, "{total:?}");
    assert!(total.crashes > 100 && total.refused_commits > 50 && total.unknown_commits > 100, "{total:?}");
    assert!(total.reconnects > 500 && total.resent > 200 && total.snapshots > 200, "{total:?}");
}

/// A simulation that would not notice is worth nothing: each known flaw must be found within a few hundred histories.
#[test]
fn every_known_flaw_is_noticed() {
    for flaw in Flaw::ALL {
        assert!(first_failure(1, 600, Some(flaw)).is_some(), "{flaw:?} went unnoticed");
    }
}
