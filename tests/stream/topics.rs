//! Topics that are not as they must be.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;

use crate::broker;
use crate::harness::{DataFolder, PATIENCE};
use crate::scene::{Scene, documents, edit};
use crate::topic::{metric, wait_for_metric};

fn make_topic(scene: &Scene, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &scene.brokers).create().expect("a client");
    let topic = NewTopic::new(&scene.topic, partitions, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let made = runtime.block_on(admin.create_topics([&topic], &options)).expect("the broker answers");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

#[test]
fn a_topic_with_another_number_of_partitions_is_refused_and_editors_go_on() {
    let scene = Scene::at(&broker::shared());
    make_topic(&scene, 12);
    let server = scene.launch(DataFolder::new()).start();
    let docs = documents(&server, 1);
    edit(&server, &docs[0]);
    let deadline = std::time::Instant::now() + PATIENCE;
    while !server.messages().contains("has 12 partitions, and one for each of the 256 shards is wanted") {
        assert!(std::time::Instant::now() < deadline, "nobody complains: {}", server.messages());
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    edit(&server, &docs[0]);
    assert_eq!(metric(&server, "quire_publisher_connected"), 0.0);
    assert_eq!(metric(&server, "quire_published_total"), 0.0);
    wait_for_metric(&server, "quire_publisher_lag_operations", |lag| lag == 3.0);
}

#[test]
fn a_topic_that_somebody_has_made_as_it_must_be_is_used() {
    let scene = Scene::at(&broker::shared());
    make_topic(&scene, 256);
    let server = scene.launch(DataFolder::new()).start();
    let docs = documents(&server, 3);
    assert_eq!(scene.check(&server, &docs, Vec::new()), 0);
}
