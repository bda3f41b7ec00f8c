//! Servers that reach each other by https, with an authority of their own.

use serde_json::json;

use crate::certificates::{Authority, Signed};
use crate::client::{TestClient, insertion};
use crate::harness::{Launch, TestServer};
use crate::replica::Replica;
use crate::rest::Rest;
use crate::scene::{Scene, metric_at, shares, until};
use crate::tunnel::Tunnel;

fn launch(scene: &Scene, signed: &Signed, trusted: &Authority) -> Launch {
    let launch = scene.launch("https").with("QUIRE_NODE_CA", trusted.file());
    launch.with("QUIRE_TLS_CERT", &signed.cert).with("QUIRE_TLS_KEY", &signed.key)
}

/// Ways to these servers, each of which has its share.
fn ways<const N: usize>(authority: &Authority, servers: [&TestServer; N]) -> [Tunnel; N] {
    let ways = servers.map(|server| Tunnel::to(server.address(), &authority.pem));
    let shares = shares(&servers.map(|server| format!("https://{}", server.address())));
    until("each has its share", || {
        let has = |way: &Tunnel| metric_at(&Rest::at(&way.address), "quire_shards") as u64;
        ways.iter().zip(&shares).all(|(way, share)| has(way) == *share)
    });
    ways
}

fn join(way: &Tunnel, doc: &str) -> TestClient {
    let joined = TestClient::try_join(&way.address, doc, Replica::new(), json!({}));
    joined.map_err(|lost| lost.why).expect("it opens")
}

#[test]
fn requests_and_sockets_go_from_server_to_server_over_tls() {
    let (scene, authority) = (Scene::new(), Authority::new());
    let signed = authority.sign("server");
    let servers = [(); 2].map(|()| launch(&scene, &signed, &authority).start());
    let [here, there] = ways(&authority, servers.each_ref());
    let (near, far) = (Rest::at(&here.address), Rest::at(&there.address));
    let doc = near.create(&json!([{ "insert": "text\n" }]));
    let (mut one, mut other) = (join(&here, &doc), join(&there, &doc));
    for n in 0..5 {
        one.edit(&insertion(n, "a"));
        other.edit(&insertion(0, "b"));
        one.until_acknowledged();
        other.until_acknowledged();
    }
    one.until_version(11);
    other.until_version(11);
    assert_eq!(one.text(), other.text());
    assert_eq!((near.text(&doc), far.text(&doc)), (one.text(), one.text()));
    // Longer than a record of TLS, both ways.
    let large = json!({ "base": 11, "delta": [{ "insert": "x".repeat(300_000) }] });
    far.post(&format!("/v1/docs/{doc}/ops"), &large).expect(200);
    other.until_version(12);
    assert_eq!(far.text(&doc).len(), 300_015);
    let forwarded = [&near, &far].map(|rest| metric_at(rest, "quire_forwarded_total"));
    assert!(forwarded.iter().sum::<f64>() >= 4.0, "{forwarded:?}");
}

#[test]
fn a_server_whose_authority_is_not_known_is_not_spoken_to() {
    let (scene, ours, theirs) = (Scene::new(), Authority::new(), Authority::new());
    let known = launch(&scene, &ours.sign("known"), &ours).start();
    let stranger = launch(&scene, &theirs.sign("stranger"), &ours).start();
    let way = Tunnel::to(known.address(), &ours.pem);
    let their_way = Tunnel::to(stranger.address(), &theirs.pem);
    let (rest, their) = (Rest::at(&way.address), Rest::at(&their_way.address));
    until("it has a share", || metric_at(&their, "quire_shards") > 20.0);
    let mut n = 0;
    until("something is asked for that is theirs", || {
        n += 1;
        let status = rest.get(&format!("/v1/docs/named-{n}")).status;
        assert!([404, 503].contains(&status), "{status}");
        known.messages().contains("invalid peer certificate")
    });
    assert!(metric_at(&rest, "quire_forward_failures_total") >= 1.0);
}

#[test]
fn an_authority_that_is_of_no_use_is_told_at_the_start() {
    let (scene, authority) = (Scene::new(), Authority::new());
    let plain = scene.launch("http").with("QUIRE_NODE_CA", authority.file()).try_start();
    let messages = plain.err().expect("nothing is encrypted").messages;
    assert!(messages.contains("--node-ca is given"), "{messages}");
    let signed = authority.sign("server");
    let gone = launch(&scene, &signed, &authority).with("QUIRE_NODE_CA", "/nowhere/ca.pem").try_start();
    let messages = gone.err().expect("it cannot be read").messages;
    assert!(messages.contains("/nowhere/ca.pem cannot be read"), "{messages}");
}
