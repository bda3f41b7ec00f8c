//! A whole production: PostgreSQL, Kafka, Redis and S3, each behind a network that can be spoilt, a worker and a
//! server over them.

use std::sync::{Mutex, PoisonError};

use crate::harness::{DataFolder, Launch, TestServer, quire};
use crate::proxies::{Network, Way};
use crate::services::Service;
use crate::worker::{Worker, verify_until_complete};

/// A component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Postgres,
    Kafka,
    Redis,
    S3,
}

/// See the module's documentation. It serves row after row of the matrix.
pub struct Stack {
    network: Network,
    postgres: Component,
    kafka: Component,
    redis: Component,
    s3: Component,
    pub topic: String,
}

struct Component {
    service: Service,
    way: Way,
}

/// It takes a while to be started, and rows take turns anyway: one at a time is load enough.
static STACK: Mutex<Option<Stack>> = Mutex::new(None);

/// Runs a row. A production that a row has failed over is not used again.
pub fn with_stack(row: impl FnOnce(&Stack)) {
    let mut place = STACK.lock().unwrap_or_else(PoisonError::into_inner);
    let stack = place.take().unwrap_or_else(Stack::start);
    row(&stack);
    *place = Some(stack);
}

impl Stack {
    fn start() -> Self {
        let network = Network::start();
        let behind = |name: &str, variable: Option<&str>| {
            let way = network.open(name);
            let variables: Vec<_> =
                variable.map(|variable| (variable, way.address.as_ref())).into_iter().collect();
            let service = Service::start_with(name, &variables);
            network.lead(&way, service.host());
            Component { service, way }
        };
        // Whoever has asked a broker goes on where it says that it is.
        let kafka = behind("kafka", Some("QUIRE_KAFKA_ADVERTISED"));
        let (postgres, redis, s3) = (behind("postgres", None), behind("redis", None), behind("s3", None));
        let topic = format!("test-{}", uuid::Uuid::new_v4().simple());
        Self { network, postgres, kafka, redis, s3, topic }
    }

    /// A server that archives what is a second old.
    pub fn launch(&self, data: DataFolder) -> Launch {
        let settings = [self.log(), self.beside_it()].concat();
        settings
            .into_iter()
            .fold(Launch::on(data), |launch, (name, value)| launch.with(name, value))
            .with("QUIRE_PASSIVATE_AFTER", "2")
            .with("QUIRE_WARM_WINDOW_MS", "1000")
            .with("QUIRE_ARCHIVE_INTERVAL_MS", "200")
            .with("QUIRE_SEGMENT_OPS", "20")
    }

    /// A worker that projects what the server publishes.
    pub fn worker(&self) -> Worker {
        Worker::start(&[self.log(), self.beside_it()].concat())
    }

    /// What names the log.
    fn log(&self) -> Vec<(&'static str, String)> {
        vec![
            ("QUIRE_DATABASE_URL", self.postgres.address()),
            ("QUIRE_OBJECT_STORE_URL", "s3://quire/faults".into()),
            ("QUIRE_S3_ENDPOINT", self.s3.address()),
            ("QUIRE_S3_ACCESS_KEY", "quire".into()),
            ("QUIRE_S3_SECRET_KEY", "quire-test-secret".into()),
        ]
    }

    /// What names the rest.
    fn beside_it(&self) -> Vec<(&'static str, String)> {
        vec![
            ("QUIRE_REDIS_URL", self.redis.address()),
            ("QUIRE_KAFKA_BROKERS", self.brokers().to_owned()),
            ("QUIRE_KAFKA_TOPIC", self.topic.clone()),
        ]
    }

    pub fn brokers(&self) -> &str {
        &self.kafka.way.address
    }

    pub fn kill(&self, part: Part) {
        self.component(part).service.kill();
    }

    pub fn resume(&self, part: Part) {
        self.component(part).service.resume();
    }

    /// Does something to the network in front of a component.
    pub fn network(&self, part: Part, what: fn(&Network, &Way)) {
        what(&self.network, &self.component(part).way);
    }

    /// Lets `quire verify` look at everything: at projections once they have come to the end, and at the rest after the server has
    /// stopped in order.
    pub fn verify(&self, server: TestServer) {
        verify_until_complete(&self.log());
        server.signal(libc::SIGTERM);
        let (status, data) = server.ended();
        assert!(status.success(), "{status}");
        let mut verify = quire();
        verify.arg("verify").arg("--data").arg(data.path()).envs(self.log());
        let done = verify.output().expect("the binary can be started");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{said}");
    }

    fn component(&self, part: Part) -> &Component {
        match part {
            Part::Postgres => &self.postgres,
            Part::Kafka => &self.kafka,
            Part::Redis => &self.redis,
            Part::S3 => &self.s3,
        }
    }
}

impl Component {
    /// Its address, by way of the network.
    fn address(&self) -> String {
        let address = self.service.address.replace(self.service.host(), &self.way.address);
        assert!(address.contains(&self.way.address), "{address} is not by way of the network");
        address
    }
}
