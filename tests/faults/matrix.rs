//! The rows of the matrix.

use std::time::Duration;

use crate::harness::{DataFolder, TestServer};
use crate::ledger;
use crate::load::Load;
use crate::proxies::Network;
use crate::rest::Rest;
use crate::stack::{Part, Stack, with_stack};
use crate::topic::{self, metric, wait_for_metric};

const WRITERS: usize = 50;

/// Few, so that each of them gets old enough to be archived.
const DOCUMENTS: usize = 4;

/// People rest between two edits; without it the writers would only measure each other.
const REST: Duration = Duration::from_millis(200);

/// What happens to a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// With kill -9.
    Killed,
    /// Connections end, and none can be made.
    Cut,
    /// Connections stay, and nothing arrives.
    Silent,
    /// Each way takes 60 ms.
    Slow,
    /// The server too, with kill -9, and it is started again while the component is away, if it can be.
    KilledWithServer,
}

/// How often each row is gone through.
fn rounds() -> usize {
    let rounds = std::env::var("QUIRE_FAULT_ROUNDS").unwrap_or_else(|_| "1".into());
    rounds.parse().expect("QUIRE_FAULT_ROUNDS is a number")
}

fn run(row: impl Fn(&Stack, TestServer, &Load) -> TestServer) {
    for _ in 0..rounds() {
        with_stack(|stack| under_load(stack, &row));
    }
}

/// Lets a row happen to 50 writers, and looks at what is left.
fn under_load(stack: &Stack, row: impl Fn(&Stack, TestServer, &Load) -> TestServer) {
    let server = stack.launch(DataFolder::new()).start();
    let worker = stack.worker();
    let rest = Rest::of(&server);
    let docs: Vec<String> =
        (0..DOCUMENTS).map(|_| rest.create(&serde_json::json!([{ "insert": "\n" }]))).collect();
    let load = Load::start_resting(&server, &docs, WRITERS, REST);
    load.wait_for(2 * WRITERS);
    let server = row(stack, server, &load);
    // By itself.
    load.wait_for(4 * WRITERS);
    let writers = load.finish();
    let published = topic::read_complete(&server, stack.brokers(), &stack.topic, &docs);
    topic::check(&server, &published, &docs);
    ledger::check(&server, writers);
    wait_for_metric(&server, "quire_archived_operations_total", |archived| archived > 0.0);
    stack.verify(server);
    worker.stop();
}

/// A component fails, and is whole again after a while.
fn fails(stack: &Stack, server: TestServer, load: &Load, part: Part, fault: Fault) -> TestServer {
    let server = match fault {
        Fault::Killed => {
            stack.kill(part);
            server
        }
        Fault::Cut => {
            stack.network(part, Network::cut);
            server
        }
        Fault::Silent => {
            stack.network(part, Network::silence);
            server
        }
        Fault::Slow => {
            stack.network(part, Network::slow_down);
            server
        }
        Fault::KilledWithServer => {
            stack.kill(part);
            let data = server.kill();
            if part == Part::Postgres {
                // Nothing begins without its log.
                stack.resume(part);
            }
            let server = stack.launch(data).start();
            load.move_to(&server);
            server
        }
    };
    let refused = load.refusals();
    let is_away = !matches!(fault, Fault::Slow | Fault::KilledWithServer);
    if part == Part::Postgres && is_away {
        load.wait_for_refusals(WRITERS);
    } else {
        load.wait_for(4 * WRITERS);
    }
    if part != Part::Postgres && fault != Fault::KilledWithServer {
        assert_eq!(load.refusals(), refused, "editors have noticed that {part:?} is {fault:?}");
    }
    if is_away {
        assert_is_felt(&server, load, part);
    }
    match fault {
        Fault::Killed => stack.resume(part),
        Fault::KilledWithServer if part != Part::Postgres => stack.resume(part),
        Fault::KilledWithServer => {}
        Fault::Cut => stack.network(part, Network::join),
        Fault::Silent | Fault::Slow => stack.network(part, Network::speed_up),
    }
    server
}

/// The server notices that a component is away, though editors may not.
fn assert_is_felt(server: &TestServer, load: &Load, part: Part) {
    match part {
        Part::Postgres => {}
        Part::Kafka => assert!(metric(server, "quire_publisher_lag_operations") > 0.0),
        Part::Redis => {
            wait_for_metric(server, "quire_redis_breaker_state", |state| state != 0.0);
        }
        Part::S3 => {
            let archived = || metric(server, "quire_archived_operations_total");
            let before = archived();
            load.wait_for(4 * WRITERS);
            assert_eq!(archived(), before, "there is nowhere to put them");
        }
    }
}

macro_rules! rows {
    ($($name:ident: $part:ident $fault:ident)+) => {$(
        #[test]
        fn $name() {
            run(|stack, server, load| fails(stack, server, load, Part::$part, Fault::$fault));
        }
    )+};
}

rows! {
    postgres_killed: Postgres Killed
    postgres_cut: Postgres Cut
    postgres_silent: Postgres Silent
    postgres_slow: Postgres Slow
    postgres_killed_with_the_server: Postgres KilledWithServer
    kafka_killed: Kafka Killed
    kafka_cut: Kafka Cut
    kafka_silent: Kafka Silent
    kafka_slow: Kafka Slow
    kafka_killed_with_the_server: Kafka KilledWithServer
    redis_killed: Redis Killed
    redis_cut: Redis Cut
    redis_silent: Redis Silent
    redis_slow: Redis Slow
    redis_killed_with_the_server: Redis KilledWithServer
    s3_killed: S3 Killed
    s3_cut: S3 Cut
    s3_silent: S3 Silent
    s3_slow: S3 Slow
    s3_killed_with_the_server: S3 KilledWithServer
}

#[test]
fn the_server_killed() {
    run(|stack, server, load| {
        let server = stack.launch(server.kill()).start();
        load.move_to(&server);
        server
    });
}
