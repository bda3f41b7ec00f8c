//! Redis down, hung, full and lying, one at a time.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use deadpool_redis::redis::cmd;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::service::{
    Redis, configure, launch, launch_impatient, metric, read_all, text, until, until_passive, until_up,
};
use super::write;
use crate::harness::{DataFolder, Launch};
use crate::rest::Rest;

const STATE: &str = "quire_redis_breaker_state";
const SKIPPED: &str = "quire_cache_reads_total{outcome=\"skipped\"}";

#[test]
fn a_server_starts_without_its_redis_and_finds_it_later() {
    let redis = Redis::start();
    redis.service.call("kill");
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    assert_ne!(metric(&rest, STATE), 0);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 5);
    until_passive(&rest);
    read_all(&rest, &doc, 5);
    rest.get("/readyz").expect(200);
    redis.service.call("resume");
    until_up(&rest);
    until_passive(&rest);
    read_all(&rest, &doc, 5);
    until("what was read is kept", || redis.run::<bool>(cmd("EXISTS").arg(format!("doc:{doc}:snapshot"))));
}

#[test]
fn the_breaker_opens_when_redis_hangs_and_closes_when_it_answers() {
    let redis = Redis::start();
    let server = launch_impatient(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 5);
    until_passive(&rest);
    redis.service.call("pause");
    until("the breaker opens", || {
        assert_eq!(rest.text(&doc), text(5));
        // Another version each time would be in memory; this one is asked of Redis, again and again.
        rest.get(&format!("/v1/docs/{doc}/ops?from=2")).expect(200);
        metric(&rest, STATE) != 0
    });
    let timeouts = metric(&rest, "quire_redis_failures_total{reason=\"timeout\"}");
    assert!(timeouts >= 5, "{timeouts} time-outs");
    let skipped = metric(&rest, SKIPPED);
    for _ in 0..50 {
        rest.get(&format!("/v1/docs/{doc}/ops?from=2")).expect(200);
    }
    assert_eq!(metric(&rest, SKIPPED), skipped + 50, "an open breaker is not asked through");
    redis.service.call("unpause");
    until_up(&rest);
    let hits = metric(&rest, "quire_cache_reads_total{outcome=\"hit\"}");
    until("Redis is of use again", || {
        rest.get(&format!("/v1/docs/{doc}/ops?from=2")).expect(200);
        metric(&rest, "quire_cache_reads_total{outcome=\"hit\"}") > hits
    });
}

#[test]
fn what_a_full_redis_declines_is_dropped_and_what_it_has_is_read() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 5);
    until_passive(&rest);
    redis.fill();
    let hits = metric(&rest, "quire_cache_reads_total{outcome=\"hit\"}");
    assert_eq!(rest.text(&doc), text(5));
    assert_eq!(metric(&rest, "quire_cache_reads_total{outcome=\"hit\"}"), hits + 1);
    write(&server, &doc, 6, 9);
    until_passive(&rest);
    until("writes are dropped", || {
        metric(&rest, "quire_redis_writes_dropped_total{reason=\"declined\"}") > 0
    });
    read_all(&rest, &doc, 9);
    assert_eq!(metric(&rest, STATE), 0, "it answers");
}

/// Removes the end of a document's log from the database of a stopped server.
fn cut_log(data: &DataFolder, doc: &str, after: i64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let removed = runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(data.path().join("quire.db"));
        let mut connection: SqliteConnection = options.connect().await.expect("the database opens");
        let cut = sqlx::query("DELETE FROM ops WHERE doc_id = ? AND version > ?").bind(doc).bind(after);
        let removed = cut.execute(&mut connection).await.expect("a sound statement").rows_affected();
        connection.close().await.expect("it closes");
        removed
    });
    assert!(removed > 0, "the log had an end");
}

#[test]
fn a_log_that_has_lost_its_end_is_not_hidden_by_what_redis_holds() {
    let redis = Redis::start();
    let server = launch(&redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 3);
    until_passive(&rest);
    assert_eq!(rest.text(&doc), text(3));
    write(&server, &doc, 4, 5);
    // Started and stopped once more, so that everything is settled; nobody opens the document.
    let server = Launch::on(server.kill()).start();
    server.signal(libc::SIGTERM);
    let (_, data) = server.ended();
    cut_log(&data, &doc, 3);
    let server = configure(Launch::on(data), &redis).start();
    let rest = Rest::of(&server);
    until_up(&rest);
    assert!(redis.run::<bool>(cmd("EXISTS").arg(format!("doc:{doc}:snapshot"))), "version 3 is there");
    rest.get(&format!("/v1/docs/{doc}/content")).expect_problem(500, "internal");
}

#[test]
fn a_server_that_is_no_redis_is_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = [0; 4_096];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    // Whoever asked may have had enough.
                    let _ =
                        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n$-7\r\n*99999999999\r\n\xff\x00");
                }
            });
        }
    });
    let server = Launch::new()
        .with("QUIRE_REDIS_URL", format!("redis://127.0.0.1:{port}/"))
        .with("QUIRE_PASSIVATE_AFTER", "1")
        .start();
    let rest = Rest::of(&server);
    let doc = rest.create_empty();
    write(&server, &doc, 1, 5);
    until_passive(&rest);
    until("it was asked", || metric(&rest, "quire_redis_failures_total{reason=\"lost\"}") > 1);
    assert_ne!(metric(&rest, STATE), 0);
    read_all(&rest, &doc, 5);
}

#[test]
fn an_address_that_is_none_is_refused_and_not_repeated() {
    for (url, why) in [
        ("redis://user:hunter2@", "Redis"),
        ("http://user:hunter2@127.0.0.1/", "Redis"),
        ("rediss://user:hunter2@127.0.0.1/#insecure", "trust everybody"),
    ] {
        let Err(failed) = Launch::new().with("QUIRE_REDIS_URL", url).try_start() else {
            panic!("{url} was taken for an address")
        };
        assert_eq!(failed.status.code(), Some(1));
        assert!(failed.messages.contains(why), "{}", failed.messages);
        assert!(!failed.messages.contains("hunter2"), "{}", failed.messages);
    }
}
