//! Seeded histories of one document: clients, a server's state machine, a log, and everything that can go wrong between
//! them. A failing history prints its seed; `QUIRE_SEED=… cargo test --test simulation replay -- --nocapture` runs that
//! one again and tells its story. `QUIRE_HISTORIES` sets how many are run.

mod replica;
mod rng;
mod server;
mod world;

use world::{Flaw, Outcome, World};

/// Histories run in every test run.
const HISTORIES: u64 = 4_000;

fn histories() -> u64 {
    std::env::var("QUIRE_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES)
}

fn first_seed() -> u64 {
    std::env::var("QUIRE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121)
}

/// Runs histories from `first` on and returns the seed and the complaint of the first that goes wrong.
fn first_failure(first: u64, count: u64, flaw: Option<Flaw>) -> Option<(u64, String)> {
    (first..first + count)
        .find_map(|seed| World::new(seed, flaw).run().err().map(|complaint| (seed, complaint)))
}

#[test]
fn every_history_converges_exactly_once_with_nothing_acknowledged_lost() {
    let first = first_seed();
    println!("seeds {first} to {}", first + histories() - 1);
    if let Some((seed, complaint)) = first_failure(first, histories(), None) {
        panic!(
            "seed {seed}: {complaint}\nreplay: QUIRE_SEED={seed} cargo test --test simulation replay -- --nocapture"
        );
    }
}

#[test]
fn replay() {
    let mut world = World::new(first_seed(), None);
    world.tell = std::env::var("QUIRE_SEED").is_ok();
    let Outcome { versions, crashes, refused_commits, unknown_commits, reconnects, resent } =
        world.run().expect("this history goes wrong");
    println!(
        "{versions} versions, {crashes} crashes, {refused_commits} refused and {unknown_commits} unknown commits, \
         {reconnects} reconnects, {resent} resends"
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
    assert!(total.reconnects > 500 && total.resent > 200, "{total:?}");
}

/// A simulation that would not notice is worth nothing: each known flaw must be found within a few hundred histories.
#[test]
fn every_known_flaw_is_noticed() {
    for flaw in Flaw::ALL {
        // A check inside the state machine that fails counts as noticed, too.
        let found = std::panic::catch_unwind(|| first_failure(1, 600, Some(flaw)));
        assert!(!matches!(found, Ok(None)), "{flaw:?} went unnoticed");
    }
}
