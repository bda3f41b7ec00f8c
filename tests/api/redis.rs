//! A Redis beside the server: what it is good for, and that nothing is wrong when it is not there, slow, empty, full or lies.

mod faults;
mod service;

use std::time::Instant;

use deadpool_redis::redis::{Client, PubSub, cmd};
use quire::ot::Delta;
use serde_json::{Value, json};

use self::service::{
    Redis, launch, launch_impatient, letter, metric, read_all, text, until, until_passive, until_up,
};
use crate::client::{TestClient, insertion};
use crate::connection::Incoming;
use crate::harness::{DataFolder, Launch, PATIENCE, TestServer};
use crate::rest::Rest;

/// Types versions `from` to `to`, each a letter at the beginning.
fn write(server: &TestServer, doc: &str, from: u64, to: u64) {
    let mut writer = TestClient::join(server, doc);
    for version in from..=to {
        assert_eq!(writer.insert(0, &letter(version)), version);
    }
    writer.leave();
}

fn hits(rest: &Rest) -> u64 {
    metric(rest, "quire_cache_reads_total{outcome=\"hit\"}")
}

#[test]
fn a_document_that_is_not_in_memory_is_read_from_redis() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 120);
    until_passive(&rest);
    let before = hits(&rest);
    for format in ["delta", "text", "markdown", "html"] {
        let answer = rest.get(&format!("/v1/docs/{doc}/content?format={format}")).expect(200);
        assert!(answer.text().contains(&text(120)), "{format}: {}", answer.text());
    }
    let tag = rest.get(&format!("/v1/docs/{doc}/content")).expect(200);
    assert_eq!(hits(&rest), before + 5);
    let headers = [("if-none-match", tag.header("etag"))];
    rest.call("GET", &format!("/v1/docs/{doc}/content"), &headers, None).expect(304);
    let path = format!("/v1/docs/{doc}/ops?from=100");
    assert_eq!(rest.get(&path).expect(200).json()["ops"].as_array().expect("a list").len(), 20);
    assert_eq!(hits(&rest), before + 6);
    // An older version is not there, and is when it has been read once.
    let old = || rest.get(&format!("/v1/docs/{doc}/history?version=50")).expect(200).json();
    assert_eq!(old()["content"], json!([{ "insert": text(50) }]));
    until("the old version is kept", || {
        let before = hits(&rest);
        assert_eq!(old()["version"], 50);
        hits(&rest) == before + 1
    });
    assert_eq!(metric(&rest, "quire_documents"), 0, "nothing of it brought the document into memory");
}

#[test]
fn a_stale_value_planted_by_hand_is_not_served() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let (doc, other) = (rest.create_empty(), rest.create_empty());
    write(&server, &doc, 1, 3);
    until_passive(&rest);
    let key = format!("doc:{doc}:snapshot");
    let stale = redis.run::<Vec<u8>>(cmd("GET").arg(&key));
    write(&server, &doc, 4, 5);
    write(&server, &other, 1, 7);
    until_passive(&rest);
    redis.run::<()>(cmd("SET").arg(&key).arg(&stale));
    // What it says is true, and not what is current. With the operations since it can be brought up to date.
    assert_eq!(rest.text(&doc), text(5));
    redis.run::<()>(cmd("DEL").arg(format!("doc:{doc}:operations")));
    let before = metric(&rest, "quire_cache_reads_total{outcome=\"stale\"}");
    assert_eq!(rest.text(&doc), text(5));
    assert_eq!(metric(&rest, "quire_cache_reads_total{outcome=\"stale\"}"), before + 1);

    until_passive(&rest);
    for what in ["snapshot", "operations"] {
        let copy = |to: &str, from: &str| {
            redis.run::<()>(
                cmd("COPY").arg(format!("doc:{from}:{what}")).arg(format!("doc:{to}:{what}")).arg("REPLACE"),
            );
        };
        copy(&doc, &other);
    }
    assert_eq!(rest.text(&doc), text(5), "another document's values are of no use here");
    assert_eq!(rest.ops(&doc).len(), 5);
}

#[test]
fn a_document_that_is_purged_is_purged_from_redis() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 5);
    until_passive(&rest);
    rest.get(&format!("/v1/docs/{doc}/history?version=2")).expect(200);
    let keys = || redis.run::<Vec<String>>(cmd("KEYS").arg(format!("doc:{doc}:*")));
    until("all of its keys", || keys().len() == 3);
    rest.delete(&format!("/v1/docs/{doc}?purge=true")).expect(204);
    until("none of them", || keys().is_empty());
}

#[test]
fn presence_is_told_to_other_servers_and_expires_by_itself() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create(&json!([{ "insert": "Hello\n" }]));
    let path = format!("/v1/docs/{doc}/presence");
    assert_eq!(rest.get(&path).expect(200).json(), json!({ "peers": [] }));
    let mut client = TestClient::join(&server, &doc);
    client
        .send(&json!({ "type": "presence", "state": { "cursor": { "index": 3, "length": 0 } }, "base": 1 }));
    let peers = || rest.get(&path).expect(200).json()["peers"].clone();
    until("the live document tells", || peers().as_array().is_some_and(|peers| peers.len() == 1));
    let told = peers();
    assert_eq!((&told[0]["session"], &told[0]["base"]), (&json!(client.session()), &json!(1)));
    assert_eq!(told[0]["state"], json!({ "cursor": { "index": 3, "length": 0 } }));
    let key = format!("doc:{doc}:presence");
    until("Redis is told", || redis.run::<bool>(cmd("EXISTS").arg(&key)));
    let ttl = redis.run::<i64>(cmd("TTL").arg(&key));
    assert!((1..=10).contains(&ttl), "{ttl} s");

    // The server is gone without a word, and another one asked.
    let server = launch_on(server.kill(), &redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let peers = || rest.get(&path).expect(200).json()["peers"].clone();
    assert_eq!(peers(), told);
    until("it has expired", || peers() == json!([]));
    rest.get("/v1/docs/nowhere/presence").expect_problem(404, "not_found");
}

/// Listens to a document's channel.
fn subscribe(redis: &Redis, doc: &str) -> PubSub<'static> {
    let client = Client::open(redis.url()).expect("an address");
    // It is dropped with the test's process.
    let connection = Box::leak(Box::new(client.get_connection().expect("Redis runs")));
    connection.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut listener = connection.as_pubsub();
    listener.subscribe(format!("doc:{doc}")).expect("it subscribes");
    listener
}

/// Applies operations in order.
fn applied(known: Delta, ops: &Value) -> Delta {
    let ops = ops.as_array().expect("a list").iter();
    ops.fold(known, |known, op| {
        known.compose(&Delta::parse_stored(&op["delta"].to_string()).expect("a delta"))
    })
}

/// Reads messages until the log is known up to `upto`, and returns the document as somebody has it who had `known`.
fn follow(listener: &mut PubSub<'_>, mut known: Delta, from: u64, upto: u64) -> Delta {
    let mut version = from;
    while version < upto {
        let message = listener.get_message().expect("a message").get_payload::<String>().expect("text");
        let message: Value = serde_json::from_str(&message).expect("JSON");
        if message["type"] != "ops" {
            assert_eq!(message["type"], "presence");
            continue;
        }
        let base = message["base"].as_u64().expect("a version");
        assert!(base <= version, "{version} and what follows is left out: {message}");
        // What was on its way when the listener came is known from the log already.
        let ops = message["ops"].as_array().expect("a list");
        let new = ops.iter().skip((version - base) as usize).cloned().collect::<Vec<_>>();
        version += new.len() as u64;
        known = applied(known, &Value::Array(new));
    }
    known
}

#[test]
fn what_happens_in_a_document_is_on_its_channel_for_whoever_listens() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let (doc, other) = (rest.create_empty(), rest.create_empty());
    let mut listener = subscribe(&redis, &doc);
    write(&server, &other, 1, 3);
    let mut client = TestClient::join(&server, &doc);
    client.send(&json!({ "type": "presence", "state": { "cursor": { "index": 0, "length": 0 } } }));
    write(&server, &doc, 1, 40);
    let known = follow(&mut listener, Delta::new(), 0, 40);
    assert_eq!(known.to_json(), json!([{ "insert": text(40) }]).to_string());

    // Whoever was away finds in the log what is missing.
    drop(listener);
    write(&server, &doc, 41, 50);
    let mut listener = subscribe(&redis, &doc);
    write(&server, &doc, 51, 60);
    let missed = rest.get(&format!("/v1/docs/{doc}/ops?from=40&limit=10")).expect(200).json();
    let known = follow(&mut listener, applied(known, &missed["ops"]), 50, 60);
    assert_eq!(known.to_json(), json!([{ "insert": text(60) }]).to_string());
}

#[test]
fn presence_is_refreshed_as_long_as_somebody_is_there() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    let mut client = TestClient::join(&server, &doc);
    client.send(&json!({ "type": "presence", "state": {} }));
    let key = format!("doc:{doc}:presence");
    let ttl = || redis.run::<i64>(cmd("PTTL").arg(&key));
    until("Redis is told", || ttl() > 0);
    // As if time had passed: nothing about the session has changed, and it is told again all the same.
    redis.run::<()>(cmd("PEXPIRE").arg(&key).arg(2_000));
    until("it is refreshed", || ttl() > 5_000);
    client.leave();
    until("nobody is there", || !redis.run::<bool>(cmd("EXISTS").arg(&key)));
}

#[test]
fn a_client_is_held_to_its_rate_over_all_servers() {
    let redis = Redis::start();
    let server = launch(&redis).with("QUIRE_RATE_LIMITS", "on").start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    let mut client = TestClient::join(&server, &doc);
    // What it is said to have sent by others: a minute's worth too much.
    let key = format!("rate:operations:guest:{}", client.replica.client);
    let (now, _) = redis.run::<(u64, u64)>(&cmd("TIME"));
    redis.run::<()>(cmd("HSET").arg(&key).arg("tokens").arg(-6_000).arg("at").arg(now * 1_000));
    let mut neighbour = TestClient::join(&server, &doc);
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        assert!(Instant::now() < deadline, "it may go on as it likes");
        client.edit(&insertion(0, "x"));
        if let Some(error) = until_answered(&mut client) {
            break error;
        }
    };
    assert_eq!(refused["code"], "rate_limited");
    // Far more than its own bucket would ever ask for.
    assert!(refused["retry_after_ms"].as_u64() > Some(10_000), "{refused}");
    neighbour.insert(0, "y");
}

/// Waits for the outcome of what is in flight: the error, if it was refused.
fn until_answered(client: &mut TestClient) -> Option<Value> {
    while client.replica.in_flight.is_some() {
        match client.step() {
            Incoming::Frame(frame) if frame["type"] == "error" => return Some(frame),
            Incoming::Frame(_) => {}
            Incoming::Closed(code) => panic!("closed with {code:?}"),
        }
    }
    None
}

fn launch_on(data: DataFolder, redis: &Redis) -> Launch {
    service::configure(Launch::on(data), redis)
}

/// A document that others read all the time, whatever becomes of Redis.
#[test]
fn content_is_what_the_log_says_whatever_becomes_of_redis() {
    let redis = Redis::start();
    let server = launch_impatient(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    let readers = service::Readers::start(&server, &doc);
    let steps: [(&str, &dyn Fn()); 7] = [
        ("as it is", &|| ()),
        ("flushed", &|| redis.service.call("flush")),
        ("paused", &|| redis.service.call("pause")),
        ("going on", &|| redis.service.call("unpause")),
        ("killed", &|| redis.service.call("kill")),
        ("started again", &|| redis.service.call("resume")),
        ("full", &|| redis.fill()),
    ];
    let mut version = 0;
    for (what, step) in steps {
        // In the middle of the edits, and again when nobody has it open.
        let mut writer = TestClient::join(&server, &doc);
        for n in 1..=12 {
            version += 1;
            assert_eq!(writer.insert(0, &letter(version)), version, "{what}");
            readers.acknowledged(version);
            if n == 6 {
                step();
            }
        }
        writer.leave();
        until_passive(&rest);
        readers.wait_for(20);
        read_all(&rest, &doc, version);
    }
    let reads = readers.finish();
    assert!(reads > 140, "{reads} reads");
    assert!(hits(&rest) > 0);
    let log: Vec<Value> = rest.ops(&doc);
    assert_eq!(log.len() as u64, version);
    assert_eq!(rest.text(&doc), text(version));
}

/// Nothing is kept from the stop of a server by a Redis that hangs.
#[test]
fn a_server_stops_although_redis_hangs() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 3);
    redis.service.call("pause");
    server.signal(libc::SIGTERM);
    let (status, _) = server.ended();
    assert!(status.success(), "{status}");
}
