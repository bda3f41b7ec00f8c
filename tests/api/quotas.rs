//! How much anybody may ask for. The callers come by a gateway on this machine, so that each has an address of its own.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{TestClient, insertion};
use crate::connection::Incoming;
use crate::harness::{Launch, PATIENCE, TestServer};
use crate::raw::{Head, RawIncoming, RawSocket, handshake_headers, opcode, request};
use crate::replica::Replica;
use crate::rest::{Answer, Rest};
use crate::signed_in::{SECRET, SignedIn, token};

/// A server with limits that believes who this machine says that it asks for.
fn limited(settings: &[(&str, &str)]) -> TestServer {
    let launch =
        Launch::new().with("QUIRE_RATE_LIMITS", "on").with("QUIRE_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8");
    let launch = launch.with("QUIRE_JWT_SECRET", SECRET);
    settings.iter().fold(launch, |launch, (name, value)| launch.with(name, value)).start()
}

fn get_from(server: &TestServer, address: &str, path: &str) -> Answer {
    Rest::of(server).call("GET", path, &[("x-forwarded-for", address)], None)
}

/// Asks until it is refused.
fn until_refused(mut ask: impl FnMut() -> Answer) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.status == 429 {
            return answer;
        }
        assert!(Instant::now() < deadline, "it may ask as much as it likes");
    }
}

#[test]
fn requests_of_an_address_are_limited_and_those_of_others_are_not() {
    let server = limited(&[("QUIRE_REQUESTS_PER_SECOND", "1")]);
    for address in ["203.0.113.1", "2001:db8:1:2::1"] {
        let refused = until_refused(|| get_from(&server, address, "/v1/docs"));
        let refused = refused.expect_problem(429, "rate_limited");
        assert_eq!(refused.header("retry-after"), "1");
        assert!(refused.json()["retry_after_ms"].as_u64().is_some_and(|ms| ms <= 1_000));
    }
    // Nobody else feels it, nor do orchestrators.
    get_from(&server, "203.0.113.2", "/v1/docs").expect(200);
    get_from(&server, "2001:db8:1:3::1", "/v1/docs").expect(200);
    for _ in 0..5 {
        get_from(&server, "203.0.113.1", "/healthz").expect(200);
        get_from(&server, "203.0.113.1", "/readyz").expect(200);
    }
    let metrics = get_from(&server, "203.0.113.3", "/metrics").expect(200).text();
    let counted =
        metrics.lines().find_map(|line| line.strip_prefix("quire_limited_total{kind=\"requests\"} "));
    assert!(counted.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 2)), "{counted:?}");
}

#[test]
fn all_addresses_of_one_network_of_ipv6_are_one_caller() {
    let server = limited(&[("QUIRE_REQUESTS_PER_SECOND", "1")]);
    let mut last = 0;
    until_refused(|| {
        last += 1;
        get_from(&server, &format!("2001:db8:7:7:{last:x}::1"), "/v1/docs")
    });
}

#[test]
fn nobody_gets_a_new_bucket_by_saying_that_he_is_somebody_else() {
    // Through no gateway that is known.
    let server = Launch::new().with("QUIRE_RATE_LIMITS", "on").with("QUIRE_REQUESTS_PER_SECOND", "1").start();
    let mut last = 0;
    until_refused(|| {
        last += 1;
        let address = format!("203.0.113.{}", last % 250);
        let forged =
            [("x-forwarded-for", &*address), ("forwarded", "for=192.0.2.1"), ("x-real-ip", "192.0.2.2")];
        Rest::of(&server).call("GET", "/v1/docs", &forged, None)
    });
    // Through one that is: what stands left of what it has added.
    let server = limited(&[("QUIRE_REQUESTS_PER_SECOND", "1")]);
    until_refused(|| {
        last += 1;
        get_from(&server, &format!("203.0.113.{}, 198.51.100.9, 10.0.0.1", last % 250), "/v1/docs")
    });
}

#[test]
fn where_a_request_comes_from_is_in_the_log_and_its_query_is_not() {
    let server =
        Launch::new().with("QUIRE_TRUSTED_PROXIES", "127.0.0.0/8").with("QUIRE_LOG", "debug").start();
    get_from(&server, "203.0.113.77", "/v1/docs?query=s3cret&token=t0ken").expect(200);
    let deadline = Instant::now() + PATIENCE;
    while !server.messages().contains("203.0.113.77") {
        assert!(Instant::now() < deadline, "{}", server.messages());
    }
    assert!(!server.messages().contains("s3cret") && !server.messages().contains("t0ken"));
}

/// Tries to open a document, from an address; the head of the answer.
fn open_from(server: &TestServer, address: &str, doc: &str) -> (Head, BufReader<TcpStream>) {
    let mut headers = handshake_headers(server.address());
    headers.push(("X-Forwarded-For", address.to_owned()));
    request(server.address(), &format!("GET /v1/collab/{doc}"), &headers)
}

#[test]
fn openings_of_a_document_are_limited_for_each_caller() {
    let server = limited(&[("QUIRE_OPENS_PER_MINUTE", "3")]);
    let rest = Rest::of(&server);
    let (doc, other) = (rest.create_empty(), rest.create_empty());
    let status = |address: &str, doc: &str| open_from(&server, address, doc).0.status;
    let mut opened = 0;
    let refused = loop {
        let (head, _) = open_from(&server, "203.0.113.1", &doc);
        match head.status {
            101 => opened += 1,
            _ => break head,
        }
        assert!(opened < 20, "it may open it as often as it likes");
    };
    // One may have come back meanwhile: it takes 20 s.
    assert!(refused.status == 429 && opened >= 3, "{opened}: {refused:?}");
    let wait: u64 = refused.header("retry-after").and_then(|after| after.parse().ok()).expect("a time");
    assert!((1..=20).contains(&wait), "{wait} s");
    // What a client asks that could not see that answer.
    get_from(&server, "203.0.113.1", &format!("/v1/docs/{doc}")).expect_problem(429, "rate_limited");
    get_from(&server, "203.0.113.1", &format!("/v1/docs/{doc}/content")).expect(200);
    assert_eq!((status("203.0.113.1", &other), status("203.0.113.2", &doc)), (101, 101));
    get_from(&server, "203.0.113.2", &format!("/v1/docs/{doc}")).expect(200);
}

#[test]
fn who_comes_back_may_do_so_as_often_as_the_line_breaks() {
    let server = limited(&[("QUIRE_OPENS_PER_MINUTE", "2")]);
    let doc = Rest::of(&server).create_empty();
    let mut replica = TestClient::join(&server, &doc).leave();
    for _ in 0..10 {
        // The answer to hello comes while its opening is given back.
        let deadline = Instant::now() + PATIENCE;
        replica = loop {
            match TestClient::try_resume(server.address(), &doc, replica) {
                Ok(client) => break client.lose_connection(),
                Err(lost) => replica = lost.replica,
            }
            assert!(Instant::now() < deadline, "it is taken for somebody new");
        };
    }
}

#[test]
fn sockets_of_an_address_and_of_a_user_are_limited() {
    let server = limited(&[
        ("QUIRE_SOCKETS_PER_ADDRESS", "3"),
        ("QUIRE_SOCKETS_PER_USER", "2"),
        ("QUIRE_OPENS_PER_MINUTE", "1000"),
    ]);
    let doc = Rest::of(&server).create_empty();
    let mut held: Vec<_> = (0..3).map(|_| open_from(&server, "203.0.113.1", &doc)).collect();
    assert!(held.iter().all(|(head, _)| head.status == 101), "{held:?}");
    let (refused, _) = open_from(&server, "203.0.113.1", &doc);
    assert!(refused.status == 429 && refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(open_from(&server, "203.0.113.2", &doc).0.status, 101);
    // One goes, and there is a place again.
    held.pop();
    let deadline = Instant::now() + PATIENCE;
    while open_from(&server, "203.0.113.1", &doc).0.status != 101 {
        assert!(Instant::now() < deadline, "its place stays taken");
    }

    let signed_in = |address: &str, user: &str| {
        let mut headers = handshake_headers(server.address());
        headers.extend([
            ("X-Forwarded-For", address.to_owned()),
            ("Authorization", format!("Bearer {}", token(user))),
        ]);
        request(server.address(), &format!("GET /v1/collab/{doc}"), &headers)
    };
    let held: Vec<_> =
        ["198.51.100.1", "198.51.100.2"].iter().map(|address| signed_in(address, "ada")).collect();
    assert!(held.iter().all(|(head, _)| head.status == 101), "{held:?}");
    assert_eq!(signed_in("198.51.100.3", "ada").0.status, 429, "wherever it comes from");
    assert_eq!(signed_in("198.51.100.3", "bob").0.status, 101);
}

#[test]
fn sessions_of_a_document_are_limited() {
    let server = limited(&[("QUIRE_SESSIONS_PER_DOCUMENT", "2"), ("QUIRE_OPENS_PER_MINUTE", "1000")]);
    let rest = Rest::of(&server);
    let (doc, other) = (rest.create_empty(), rest.create_empty());
    let (mut first, second) = (TestClient::join(&server, &doc), TestClient::join(&server, &doc));
    let mut third = RawSocket::open(server.address(), &doc);
    let hello = json!({ "type": "hello", "client": Uuid::new_v4() }).to_string();
    third.send(opcode::TEXT, hello.as_bytes()).expect("open");
    let RawIncoming::Frame(error) = third.next() else { panic!("it is told why") };
    assert_eq!((&error["code"], &error["fatal"]), (&json!("rate_limited"), &json!(true)), "{error}");
    assert!(error["retry_after_ms"].is_u64(), "{error}");
    assert!(matches!(third.next(), RawIncoming::Closed(Some(1013))));
    // Who is there already comes again, another document has room, and everybody goes on.
    let mut again = TestClient::resume(&server, &doc, second.lose_connection());
    TestClient::join(&server, &other);
    first.insert(0, "x");
    again.until_version(1);
}

#[test]
fn operations_of_a_user_are_counted_over_all_sessions_and_documents() {
    let server = limited(&[("QUIRE_OPERATIONS_PER_SECOND", "1")]);
    let rest = Rest::of(&server);
    let docs = [rest.create_empty(), rest.create_empty()];
    let mut sessions = docs.map(|doc| SignedIn::join(&server, &doc, Uuid::new_v4(), &token("ada")));
    for session in &mut sessions {
        assert_eq!(session.frame("welcome")["limits"]["ops_per_second"], 1);
    }
    let op = |seq: u64| json!({ "type": "op", "seq": seq, "base": 0, "delta": [{ "insert": "x" }] });
    let [first, second] = &mut sessions;
    let deadline = Instant::now() + PATIENCE;
    let refused = (1..).find_map(|seq| {
        // The one takes what the other would have had.
        first.send(op(seq));
        second.send(op(seq));
        let answer = |session: &mut SignedIn| loop {
            let frame = session.any();
            if ["ops", "error"].contains(&frame["type"].as_str().expect("a type")) {
                return frame;
            }
        };
        let answers = [answer(first), answer(second)];
        assert!(Instant::now() < deadline, "each has a rate of its own");
        answers.into_iter().find(|answer| answer["code"] == "rate_limited")
    });
    assert!(refused.is_some_and(|refused| refused["retry_after_ms"].as_u64() <= Some(1_000)));
    // By REST as well.
    let authorization = format!("Bearer {}", token("ada"));
    let body = json!({ "base": 0, "delta": [{ "insert": "x" }] }).to_string();
    let path = "/v1/docs/x/ops";
    until_refused(|| rest.call("POST", path, &[("authorization", &authorization)], Some(body.clone())));
    // Somebody else goes on.
    let doc = rest.create_empty();
    TestClient::join(&server, &doc).insert(0, "y");
}

#[test]
fn the_size_of_documents_and_frames_is_a_setting_and_clients_are_told() {
    let server =
        Launch::new().with("QUIRE_DOCUMENT_BYTES", "1000").with("QUIRE_FRAME_BYTES", "65536").start();
    let doc = Rest::of(&server).create_empty();
    let mut client = TestClient::join_with(&server, &doc, Replica::new(), json!({}));
    let limits = &client.welcome["limits"];
    assert_eq!((&limits["document_bytes"], &limits["frame_bytes"]), (&json!(1_000), &json!(65_536)));
    client.edit(&insertion(0, &"x".repeat(900)));
    client.until_acknowledged();
    client.edit(&insertion(0, &"y".repeat(200)));
    assert_eq!(client.until_error()["code"], "too_large");
    client.send(&json!({ "type": "ping", "t": 1, "pad": "x".repeat(65_536) }));
    loop {
        match client.step() {
            Incoming::Closed(code) => return assert_eq!(code, Some(1009)),
            Incoming::Frame(_) => {}
        }
    }
}

/// Sends bytes and reads until the server ends the connection.
fn told(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.write_all(bytes).expect("open");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("the server ends it");
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn who_sends_a_request_too_slowly_is_not_waited_for() {
    let server = Launch::new().with("QUIRE_HEAD_TIMEOUT", "1").with("QUIRE_BODY_TIMEOUT", "1").start();
    let head = format!("POST /v1/docs HTTP/1.1\r\nHost: {}\r\n", server.address());
    let said = told(&server, head.as_bytes());
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let body = format!("{head}Content-Length: 100\r\n\r\n{{");
    let said = told(&server, body.as_bytes());
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("the body has taken too long"), "{said}");
}

#[test]
fn a_body_that_is_packed_is_not_unpacked() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let body = Some(json!({ "title": "x" }).to_string());
    for coding in ["gzip", "br", "deflate", "zstd", "gzip, gzip"] {
        let answer = rest.call("POST", "/v1/docs", &[("content-encoding", coding)], body.clone());
        answer.expect_problem(400, "bad_request");
    }
    rest.call("POST", "/v1/docs", &[("content-encoding", "identity")], body).expect(201);
}

#[test]
fn a_socket_is_never_compressed() {
    let server = TestServer::start();
    let doc = Rest::of(&server).create_empty();
    let mut headers = handshake_headers(server.address());
    headers.push(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits".to_owned()));
    let (head, _) = request(server.address(), &format!("GET /v1/collab/{doc}"), &headers);
    assert_eq!((head.status, head.header("sec-websocket-extensions")), (101, None));
}

#[test]
fn every_answer_keeps_browsers_from_what_is_not_needed() {
    let server = TestServer::start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    let paths = [
        "/",
        "/d/x",
        "/v1/docs",
        &format!("/v1/docs/{doc}/content?format=html"),
        "/healthz",
        "/metrics",
        "/nowhere",
    ];
    for path in paths {
        let answer = rest.get(path);
        let header = |name: &str| answer.header(name).to_owned();
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(header("permissions-policy").contains("camera=()"), "{path}");
        let policy = header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"),
            "{path}: {policy}"
        );
        let scripts =
            policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap_or_default();
        assert!(!scripts.contains("unsafe-inline") && !scripts.contains("'unsafe-eval'"), "{path}: {policy}");
        assert_eq!(header("strict-transport-security"), "", "not over plain HTTP");
    }
    let secure = Launch::new().with("QUIRE_TRUSTED_PROXIES", "127.0.0.1").with("QUIRE_HSTS", "600").start();
    let by = |proto: &str| Rest::of(&secure).call("GET", "/", &[("x-forwarded-proto", proto)], None);
    assert_eq!(by("https").header("strict-transport-security"), "max-age=600");
    assert_eq!(by("http").header("strict-transport-security"), "");
}

#[test]
fn a_token_in_an_address_is_none() {
    let server = Launch::new().with("QUIRE_JWT_SECRET", SECRET).with("QUIRE_GUESTS", "off").start();
    let rest = Rest::of(&server);
    let token = token("ada");
    for name in ["token", "access_token", "bearer", "authorization"] {
        rest.get(&format!("/v1/docs?{name}={token}")).expect_problem(401, "unauthorized");
    }
    let value: Value = rest
        .call("GET", "/v1/docs", &[("authorization", &format!("Bearer {token}"))], None)
        .expect(200)
        .json();
    assert_eq!(value["docs"], json!([]));
}
