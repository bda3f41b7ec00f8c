//! Brokers that want TLS and a login. What has come is read at an address that wants neither.

use std::time::{Duration, Instant};

use crate::broker;
use crate::certificates::Authority;
use crate::harness::{DataFolder, Launch, PATIENCE, TestServer};
use crate::scene::{Scene, documents, edit};
use crate::services::Service;
use crate::topic::metric;

const USER: &str = "quire";
const PASSWORD: &str = "right-and-secret";

/// A broker, and a topic.
struct Secure {
    broker: Service,
    authority: Authority,
    scene: Scene,
}

impl Secure {
    fn new() -> Self {
        let authority = Authority::new();
        let broker = broker::secure(&authority.sign("broker"), USER, PASSWORD);
        let scene = Scene::at(&broker.address);
        Self { broker, authority, scene }
    }

    /// A server that is told everything but the authority and the password.
    fn launch(&self, data: DataFolder, mechanism: &str) -> Launch {
        let address = self.broker.secure.as_ref().expect("a third line");
        self.scene
            .launch(data)
            .with("QUIRE_KAFKA_BROKERS", address)
            .with("QUIRE_KAFKA_SECURITY", "sasl-tls")
            .with("QUIRE_KAFKA_MECHANISM", mechanism)
            .with("QUIRE_KAFKA_USER", USER)
    }
}

fn wait_for_message(server: &TestServer, words: [&str; 2]) {
    let deadline = Instant::now() + PATIENCE;
    while !words.iter().all(|words| server.messages().contains(words)) {
        assert!(Instant::now() < deadline, "{words:?} are not in {}", server.messages());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn everything_is_published_over_tls_by_every_mechanism() {
    let secure = Secure::new();
    let file = secure.authority.file().with_file_name("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("the folder is ours");
    let mut data = DataFolder::new();
    let mut docs = Vec::new();
    // The authority is named, or one of those that the system trusts.
    for (mechanism, variable) in
        [("plain", "QUIRE_KAFKA_CA"), ("scram-sha-256", "SSL_CERT_FILE"), ("scram-sha-512", "QUIRE_KAFKA_CA")]
    {
        let launch = secure.launch(data, mechanism).with(variable, secure.authority.file());
        let server = launch.with("QUIRE_KAFKA_PASSWORD_FILE", &file).start();
        docs.extend(documents(&server, 2));
        docs.iter().for_each(|doc| edit(&server, doc));
        secure.scene.check(&server, &docs, Vec::new());
        data = server.kill();
    }
}

#[test]
fn who_is_refused_says_so_and_what_was_written_meanwhile_is_published_later() {
    let secure = Secure::new();
    let stranger = Authority::new();
    let launch = |data, authority: &Authority, password| {
        let launch = secure.launch(data, "scram-sha-512").with("QUIRE_KAFKA_CA", authority.file());
        launch.with("QUIRE_KAFKA_PASSWORD", password)
    };
    let server = launch(DataFolder::new(), &secure.authority, "wrong").start();
    let docs = documents(&server, 3);
    wait_for_message(&server, ["no broker answers: ", "SASL authentication error"]);
    docs.iter().for_each(|doc| edit(&server, doc));
    assert_eq!(metric(&server, "quire_publisher_connected"), 0.0);

    let server = launch(server.kill(), &stranger, PASSWORD).start();
    wait_for_message(&server, ["no broker answers: ", "certificate verify failed"]);
    docs.iter().for_each(|doc| edit(&server, doc));
    assert_eq!(metric(&server, "quire_published_total"), 0.0);
    assert!(!server.messages().contains(PASSWORD), "{}", server.messages());

    let plain = launch(server.kill(), &secure.authority, "").with("QUIRE_KAFKA_SECURITY", "plaintext");
    let unset = ["QUIRE_KAFKA_CA", "QUIRE_KAFKA_MECHANISM", "QUIRE_KAFKA_USER"];
    let server = unset.into_iter().fold(plain, |plain, name| plain.with(name, "")).start();
    wait_for_message(&server, ["no broker answers: ", "closed by peer"]);

    let server = launch(server.kill(), &secure.authority, PASSWORD).start();
    docs.iter().for_each(|doc| edit(&server, doc));
    secure.scene.check(&server, &docs, Vec::new());
}

#[test]
fn a_broker_whose_certificate_is_for_another_host_is_not_spoken_to() {
    let authority = Authority::new();
    let broker = broker::secure(&authority.sign_for_elsewhere("broker"), USER, PASSWORD);
    let scene = Scene::at(&broker.address);
    let secure = Secure { broker, authority, scene };
    let launch = secure.launch(DataFolder::new(), "scram-sha-512").with("QUIRE_KAFKA_PASSWORD", PASSWORD);
    let server = launch.with("QUIRE_KAFKA_CA", secure.authority.file()).start();
    wait_for_message(&server, ["no broker answers: ", "certificate verify failed"]);
    documents(&server, 1).iter().for_each(|doc| edit(&server, doc));
    assert_eq!(metric(&server, "quire_published_total"), 0.0);
}
