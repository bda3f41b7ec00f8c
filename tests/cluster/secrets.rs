//! The secret that servers prove themselves with is exchanged while they run.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::TestClient;
use crate::command::quire;
use crate::rest::Rest;
use crate::scene::{Scene, until};

/// Until after both have used the new one: they do after 15 s.
const LONG_ENOUGH: Duration = Duration::from_secs(18);

#[test]
fn nobody_is_turned_away_while_the_secret_is_exchanged() {
    let scene = Scene::new();
    let [a, b] = scene.servers();
    let doc = Rest::of(&b).create(&json!([{ "insert": "text\n" }]));
    let far = Rest::of(&a);
    let exchange = || quire(["keys", "exchange", "--database-url", scene.database()]);
    let said = exchange().succeeds();
    assert!(said.starts_with("exchanged"), "{said}");
    let began = Instant::now();
    while began.elapsed() < LONG_ENOUGH {
        far.get(&format!("/v1/docs/{doc}")).expect(200);
        TestClient::join(&a, &doc).leave();
        std::thread::park_timeout(Duration::from_millis(50));
    }
    // One that comes now knows the new one alone.
    let c = scene.server();
    until("it reaches the others", || Rest::of(&c).get(&format!("/v1/docs/{doc}")).status == 200);
    exchange().fails_with(&["within the last two minutes"]);
}

#[test]
fn there_is_nothing_to_exchange_where_there_are_not_several_servers() {
    let scene = Scene::new();
    let exchange = |url: &str| quire(["keys", "exchange", "--database-url", url]);
    exchange("").fails_with(&["--database-url is missing"]);
    quire(["migrate", "--database-url", scene.database()]).succeeds();
    exchange(scene.database()).fails_with(&["no server of several has been there yet"]);
}
