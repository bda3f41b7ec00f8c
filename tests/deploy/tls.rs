//! TLS of the server itself, over real handshakes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::json;

use crate::certificates::{Authority, Signed};
use crate::client::TestClient;
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::replica::Replica;
use crate::rest::Rest;
use crate::tunnel::{Tunnel, ask};

fn launch(signed: &Signed) -> Launch {
    Launch::new().with("QUIRE_TLS_CERT", &signed.cert).with("QUIRE_TLS_KEY", &signed.key)
}

fn is_well(answer: &Result<String, String>) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

#[test]
fn people_edit_over_tls() {
    let authority = Authority::new();
    let server = launch(&authority.sign("server")).start();
    let tunnel = Tunnel::to(server.address(), &authority.pem);
    let rest = Rest::at(&tunnel.address);
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    let join = || {
        TestClient::try_join(&tunnel.address, &doc, Replica::new(), json!({}))
            .map_err(|lost| lost.why)
            .expect("it opens")
    };
    let (mut one, mut other) = (join(), join());
    let version = one.insert(5, ", world");
    other.until_version(version);
    assert_eq!((other.text(), rest.text(&doc)), ("Hello, world\n".to_owned(), "Hello, world\n".to_owned()));
}

#[test]
fn who_does_not_know_the_authority_or_sees_an_expired_certificate_does_not_connect() {
    let authority = Authority::new();
    let server = launch(&authority.sign("server")).start();
    assert!(is_well(&ask(server.address(), &authority.pem)));
    let stranger = ask(server.address(), &Authority::new().pem).expect_err("the authority is another");
    assert!(stranger.contains("UnknownIssuer") || stranger.contains("BadSignature"), "{stranger}");
    let old = launch(&authority.sign_expired("old")).start();
    let expired = ask(old.address(), &authority.pem).expect_err("its time is over");
    assert!(expired.to_lowercase().contains("expired"), "{expired}");
}

#[test]
fn plain_http_gets_no_answer_from_a_tls_port_and_does_no_harm() {
    let authority = Authority::new();
    let server = launch(&authority.sign("server")).start();
    let mut plain = TcpStream::connect(server.address()).expect("it listens");
    plain.set_read_timeout(Some(PATIENCE)).expect("not zero");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it takes bytes");
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{:?}", String::from_utf8_lossy(&answer));
    assert!(is_well(&ask(server.address(), &authority.pem)));
}

/// Sends SIGHUP until a client of this authority is content, or its patience ends.
fn reload_until_well(server: &TestServer, authority: &Authority) {
    let deadline = Instant::now() + PATIENCE;
    server.signal(libc::SIGHUP);
    while !is_well(&ask(server.address(), &authority.pem)) {
        assert!(Instant::now() < deadline, "the certificate is not exchanged: {}", server.messages());
    }
}

#[test]
fn a_certificate_is_exchanged_while_the_server_runs() {
    let (old, new) = (Authority::new(), Authority::new());
    let signed = old.sign("server");
    let server = launch(&signed).with("QUIRE_LOG", "info").start();
    let tunnel = Tunnel::to(server.address(), &old.pem);
    let doc = Rest::at(&tunnel.address).create(&json!([{ "insert": "x\n" }]));
    let mut client = TestClient::try_join(&tunnel.address, &doc, Replica::new(), json!({}))
        .map_err(|lost| lost.why)
        .expect("it opens");
    let fresh = new.sign("server");
    // What does not fit together is not taken, and the old one stays.
    std::fs::copy(&fresh.key, &signed.key).expect("the folder is ours");
    server.signal(libc::SIGHUP);
    let deadline = Instant::now() + PATIENCE;
    while !server.messages().contains("the certificate stays the one from before") {
        assert!(Instant::now() < deadline, "{}", server.messages());
        std::thread::yield_now();
    }
    assert!(is_well(&ask(server.address(), &old.pem)));
    std::fs::copy(&fresh.cert, &signed.cert).expect("the folder is ours");
    reload_until_well(&server, &new);
    assert!(!is_well(&ask(server.address(), &old.pem)));
    // Who was connected stays so.
    client.insert(0, "y");
}

#[test]
fn a_server_without_its_key_does_not_start() {
    let authority = Authority::new();
    let (signed, other) = (authority.sign("server"), authority.sign("other"));
    let half = Launch::new().with("QUIRE_TLS_CERT", &signed.cert).try_start().err().expect("it must not");
    assert!(half.messages.contains("--tls-cert is given without --tls-key"), "{half:?}");
    let wrong = launch(&Signed { key: other.key, ..signed }).try_start().err().expect("it must not");
    assert!(wrong.messages.contains("key and certificate cannot be used: "), "{wrong:?}");
    let nothing = std::path::PathBuf::from("/nowhere/cert.pem");
    let gone =
        launch(&Signed { cert: nothing, ..authority.sign("third") }).try_start().err().expect("it must not");
    assert!(gone.messages.contains("/nowhere/cert.pem cannot be read: I/O error: No such file"), "{gone:?}");
}
