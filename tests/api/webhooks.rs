//! Webhooks, with receivers that answer, refuse, hang and lead elsewhere.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Channel, channel};
use std::thread;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};

use crate::harness::{DataFolder, Launch, PATIENCE, TestServer};
use crate::rest::{Answer, Rest};
use crate::signed_in::{SECRET, admin_token, call, token};

/// A request that a receiver was sent.
#[derive(Debug)]
struct Request {
    head: Vec<String>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found = self.head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        found.unwrap_or_else(|| panic!("no {name}: {:?}", self.head))
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Checks the signature as docs/webhooks.md says.
    fn is_signed_with(&self, secret: &str) -> bool {
        let (time, signature) = self.header("quire-signature").split_once(",v1=").expect("two parts");
        let time = time.strip_prefix("t=").expect("a time");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{time}.{}", self.body).as_bytes());
        hex::encode(mac.finalize().into_bytes()) == signature
    }
}

/// Somebody who is told. Every answer is what `answers` says for the number of the request, from 0; `None` is none at all.
struct Receiver {
    url: String,
    requests: Channel<Request>,
}

impl Receiver {
    fn new(answers: impl Fn(usize) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (out, requests) = channel();
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                if out.send(request).is_err() {
                    return;
                }
                match answers(number) {
                    // Whoever has called has perhaps given up.
                    Some(answer) => drop(stream.write_all(answer.as_bytes())),
                    None => hanging.push(stream),
                }
            }
        });
        Self { url, requests }
    }

    fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut request = Request { head, body: String::new() };
    let length = request.header("content-length").parse().unwrap();
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}

fn status(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

#[expect(clippy::unnecessary_wraps, reason = "receivers answer by such functions")]
fn well(_: usize) -> Option<String> {
    Some(status("204 No Content"))
}

fn on(data: DataFolder) -> Launch {
    Launch::on(data)
        .with("QUIRE_JWT_SECRET", SECRET)
        .with("QUIRE_EVENTS_DEBOUNCE", "0")
        .with("QUIRE_WEBHOOK_TARGETS", "any")
        .with("QUIRE_WEBHOOK_TIMEOUT", "1")
        .with("QUIRE_WEBHOOK_RETRY_MS", "1")
}

fn start() -> TestServer {
    on(DataFolder::new()).start()
}

fn by(server: &TestServer, user: &str, method: &str, path: &str, body: Value) -> Answer {
    let token = if user == "root" { admin_token(user) } else { token(user) };
    let body = (!body.is_null()).then_some(body);
    call(&Rest::of(server), &token, method, path, body.as_ref())
}

fn create(server: &TestServer, user: &str, doc: &str) {
    let body = json!({ "id": doc, "content": [{ "insert": "x\n" }] });
    by(server, user, "POST", "/v1/docs", body).expect(201);
}

/// Makes a webhook; returns its path and its secret.
fn hook(server: &TestServer, user: &str, body: Value) -> (String, String) {
    let made = by(server, user, "POST", "/v1/webhooks", body).expect(201).json();
    (format!("/v1/webhooks/{}", made["id"].as_str().unwrap()), made["secret"].as_str().unwrap().to_owned())
}

/// Waits until a webhook has a delivery in a state, of which something is true.
fn delivery(server: &TestServer, user: &str, hook: &str, state: &str, is: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = by(server, user, "GET", &format!("{hook}/deliveries?state={state}"), Value::Null);
        let list = list.expect(200).json();
        if let Some(found) = list["deliveries"].as_array().unwrap().iter().find(|one| is(one)) {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "there is no such delivery: {list}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_receiver_is_told_of_its_owners_documents_and_can_tell_that_it_is_this_server() {
    let server = start();
    let (ada, root) = (Receiver::new(well), Receiver::new(well));
    let (_, secret) = hook(&server, "ada", json!({ "url": ada.url }));
    let own = json!({ "url": root.url, "scope": "server", "types": ["document.created"], "secret": "0123456789abcdef" });
    hook(&server, "root", own);
    create(&server, "bob", "of-bob");
    create(&server, "ada", "of-ada");
    let mut told = [ada.next(), ada.next()];
    told.sort_by_key(|request| request.event()["id"].as_str().map(|id| id.parse::<u64>().unwrap()));
    let [created, changed] = told;
    assert!(created.is_signed_with(&secret) && !created.is_signed_with("0123456789abcdef"));
    assert_eq!(created.header("quire-event"), "document.created");
    assert_eq!(created.header("content-type"), "application/json");
    let event = created.event();
    assert_eq!((&event["doc"], &event["by"], &event["data"]), (&json!("of-ada"), &json!("ada"), &json!({})));
    assert_eq!(changed.event()["data"], json!({ "version": 1, "since": 0 }));
    let told = [root.next(), root.next()];
    assert!(told.iter().all(|request| request.is_signed_with("0123456789abcdef")));
    let mut docs = told.map(|request| request.event()["doc"].as_str().unwrap().to_owned());
    docs.sort();
    assert_eq!(docs, ["of-ada", "of-bob"]);
}

#[test]
fn what_is_refused_is_sent_again_as_the_same_delivery() {
    let server = start();
    let elsewhere = Receiver::new(well);
    let place = elsewhere.url.clone();
    let receiver = Receiver::new(move |number| {
        Some(match number {
            0 => status("500 Internal Server Error"),
            1 => format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {place}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            ),
            _ => status("200 OK"),
        })
    });
    let (path, secret) = hook(&server, "ada", json!({ "url": receiver.url }));
    by(&server, "ada", "POST", &format!("{path}/ping"), Value::Null).expect(202);
    let tries = [receiver.next(), receiver.next(), receiver.next()];
    assert!(tries.iter().all(|request| request.is_signed_with(&secret)));
    assert!(tries.iter().all(|request| request.header("quire-event") == "ping"));
    let id = tries[0].header("quire-delivery");
    assert!(
        tries.iter().all(|request| request.header("quire-delivery") == id && request.body == tries[0].body)
    );
    let made = delivery(&server, "ada", &path, "delivered", |_| true);
    assert_eq!((&made["id"], &made["tries"], &made["status"]), (&json!(id), &json!(3), &json!(200)));
    assert!(elsewhere.requests.try_recv().is_err(), "it was led elsewhere");
}

#[test]
fn what_is_never_taken_is_given_up_shown_and_sent_again_when_asked() {
    let server = start();
    let receiver = Receiver::new(|number| Some(status(if number < 8 { "503 No" } else { "200 OK" })));
    let (path, _) = hook(&server, "ada", json!({ "url": receiver.url, "types": ["document.created"] }));
    create(&server, "ada", "d");
    let dead = delivery(&server, "ada", &path, "dead", |_| true);
    assert_eq!((&dead["tries"], &dead["status"], &dead["doc"]), (&json!(8), &json!(503), &json!("d")));
    let shown = by(&server, "ada", "GET", &path, Value::Null).expect(200).json();
    assert!(shown["failing_since"].is_u64() && shown["enabled"] == true, "{shown}");
    let again = format!("{path}/deliveries/{}/redeliver", dead["id"].as_str().unwrap());
    by(&server, "bob", "POST", &again, Value::Null).expect_problem(404, "not_found");
    by(&server, "ada", "POST", &again, Value::Null).expect(202);
    let made = delivery(&server, "ada", &path, "delivered", |_| true);
    assert_eq!((&made["id"], &made["tries"]), (&dead["id"], &json!(1)));
    let shown = by(&server, "ada", "GET", &path, Value::Null).expect(200).json();
    assert!(shown.get("failing_since").is_none(), "{shown}");
    let metrics = Rest::of(&server).get("/metrics").expect(200).text();
    assert!(metrics.contains("quire_webhook_deliveries_total{outcome=\"dead\"} 1"), "{metrics}");
}

#[test]
fn a_receiver_that_hangs_holds_up_nobody_else_and_one_that_is_gone_is_disabled() {
    let server = start();
    let (hangs, gone, hears) =
        (Receiver::new(|_| None), Receiver::new(|_| Some(status("410 Gone"))), Receiver::new(well));
    let (hanging, _) = hook(&server, "ada", json!({ "url": hangs.url }));
    let (leaving, _) = hook(&server, "ada", json!({ "url": gone.url }));
    hook(&server, "ada", json!({ "url": hears.url, "types": ["document.created"] }));
    for number in 0..5 {
        create(&server, "ada", &format!("d{number}"));
    }
    for _ in 0..5 {
        hears.next();
    }
    let failed = delivery(&server, "ada", &hanging, "pending", |one| one["error"].is_string());
    assert!(failed["status"].is_null() && failed["error"].as_str().unwrap().contains("timeout"), "{failed}");
    delivery(&server, "ada", &leaving, "dead", |one| one["status"] == 410);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = by(&server, "ada", "GET", &leaving, Value::Null).expect(200).json();
        if shown["enabled"] == false {
            assert!(shown["disabled_because"].as_str().unwrap().contains("410"), "{shown}");
            break;
        }
        assert!(Instant::now() < deadline, "it is not disabled: {shown}");
    }
    by(&server, "ada", "POST", &format!("{leaving}/ping"), Value::Null).expect_problem(409, "conflict");
    by(&server, "ada", "PATCH", &leaving, json!({ "enabled": true })).expect(200);
}

#[test]
fn a_delivery_that_a_crash_has_cut_off_is_made_again() {
    let server = start();
    let receiver = Receiver::new(|number| (number > 0).then(|| status("200 OK")));
    let (path, secret) = hook(&server, "ada", json!({ "url": receiver.url, "types": ["document.created"] }));
    create(&server, "ada", "d");
    let first = receiver.next();
    let server = on(server.kill()).start();
    let second = receiver.next();
    assert_eq!(first.header("quire-delivery"), second.header("quire-delivery"));
    assert!(second.is_signed_with(&secret));
    assert_eq!(first.body, second.body);
    delivery(&server, "ada", &path, "delivered", |one| one["doc"] == "d");
}

#[test]
fn only_addresses_that_are_allowed_are_called() {
    let server = Launch::new().with("QUIRE_JWT_SECRET", SECRET).with("QUIRE_WEBHOOK_RETRY_MS", "1").start();
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    inside.set_nonblocking(true).unwrap();
    let port = inside.local_addr().unwrap().port();
    for bad in [
        json!({}),
        json!({ "url": "hook" }),
        json!({ "url": format!("http://example.org:{port}/") }),
        json!({ "url": format!("https://127.0.0.1:{port}/") }),
        json!({ "url": format!("https://[::ffff:127.0.0.1]:{port}/") }),
        json!({ "url": "https://169.254.169.254/latest/meta-data/" }),
        json!({ "url": "https://user@example.org/" }),
        json!({ "url": "https://example.org/", "types": ["document.read"] }),
        json!({ "url": "https://example.org/", "types": [] , "secret": "short" }),
        json!({ "url": "https://example.org/", "scope": "all" }),
    ] {
        by(&server, "ada", "POST", "/v1/webhooks", bad).expect_problem(400, "bad_request");
    }
    // What a name stands for is found out when it is called.
    let (path, _) = hook(&server, "ada", json!({ "url": format!("https://localhost:{port}/") }));
    by(&server, "ada", "POST", &format!("{path}/ping"), Value::Null).expect(202);
    let failed = delivery(&server, "ada", &path, "pending", |one| one["error"].is_string());
    assert!(failed["error"].as_str().unwrap().contains("may not call"), "{failed}");
    assert!(inside.accept().is_err(), "somebody has connected");
}

#[test]
fn webhooks_are_seen_by_their_owners_and_by_administrators() {
    let server = start();
    let (path, secret) = hook(&server, "ada", json!({ "url": "https://example.org/", "enabled": false }));
    let id = path.rsplit('/').next().unwrap().to_owned();
    by(&server, "ada", "POST", "/v1/webhooks", json!({ "url": "https://example.org/", "scope": "server" }))
        .expect_problem(403, "forbidden");
    let (all, _) = hook(&server, "root", json!({ "url": "https://example.org/", "scope": "server" }));
    for (user, seen) in [("ada", 200), ("root", 200), ("bob", 404)] {
        by(&server, user, "GET", &path, Value::Null).expect(seen);
    }
    by(&server, "ada", "GET", &all, Value::Null).expect_problem(404, "not_found");
    let list = |user: &str| by(&server, user, "GET", "/v1/webhooks", Value::Null).expect(200).json();
    let ids = |user: &str| list(user)["webhooks"].as_array().unwrap().len();
    assert_eq!((ids("ada"), ids("root"), ids("bob")), (1, 2, 0));
    assert_eq!(list("ada")["webhooks"][0]["id"], id.as_str());
    assert!(!list("ada").to_string().contains(&secret), "a secret is shown once");
    for (method, path) in [
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("POST", format!("{path}/ping")),
        ("GET", format!("{path}/deliveries")),
        ("GET", "/v1/webhooks/%00".to_owned()),
    ] {
        by(&server, "bob", method, &path, Value::Null).expect_problem(404, "not_found");
    }
    Rest::of(&server).get("/v1/webhooks").expect_problem(401, "unauthorized");
    let changed =
        json!({ "url": "https://example.org/other", "types": ["document.purged"], "enabled": true });
    let changed = by(&server, "ada", "PATCH", &path, changed).expect(200).json();
    assert_eq!((&changed["types"], &changed["enabled"]), (&json!(["document.purged"]), &json!(true)));
    by(&server, "ada", "PATCH", &path, json!({ "types": [] })).expect_problem(400, "bad_request");
    by(&server, "root", "DELETE", &path, Value::Null).expect(204);
    by(&server, "ada", "GET", &path, Value::Null).expect(404);
}
