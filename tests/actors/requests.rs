//! Requests whose clients do not wait for the answer, and more of them than can be answered at once.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::harness::Server;

/// Sends a request over a connection of its own.
fn send(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Ends a connection so that the server learns of it at once.
fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

#[actix_rt::test]
async fn a_document_is_told_that_it_was_archived_by_somebody_who_has_hung_up() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    let gate = server.store.hold_patches();
    let body = r#"{"archived":true}"#;
    let request = format!(
        "PATCH /v1/docs/d HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        body.len(),
    );
    let stream = send(&server, &request);
    while server.store.patches.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    reset(stream);
    // The one worker looks after all sockets: when it has answered others, it has seen this one end.
    for _ in 0..5 {
        server.text("d").await;
    }
    gate.add_permits(1);
    for seq in 1.. {
        ann.insert(seq, "a").await;
        let answer = ann.next().await;
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "read_only", "{answer}");
            break;
        }
        assert!(seq < 10_000, "the document takes edits as if nothing had happened");
    }
    server.stop().await;
}

/// Asks for the content of a version; returns the status of the answer.
fn status_of(server: &Server, version: u64) -> actix_rt::task::JoinHandle<u16> {
    let url = format!("http://{}/v1/docs/d/content?version={version}", server.address);
    let ask = move || match ureq::get(&url).call() {
        Ok(answer) => answer.status().as_u16(),
        Err(ureq::Error::StatusCode(status)) => status,
        Err(error) => panic!("no answer: {error}"),
    };
    tokio::task::spawn_blocking(ask)
}

#[actix_rt::test]
async fn a_crowd_that_reads_the_past_takes_turns_and_the_rest_is_put_off() {
    let server = Server::start().await;
    server.document("d", "x").await;
    let mut ann = server.join("d").await;
    ann.write(1, "a").await;
    let loads = server.store.loads.load(Ordering::SeqCst);
    let gate = server.store.hold_loads();
    let mut asked: FuturesUnordered<_> = (0..70).map(|_| status_of(&server, 1)).collect();
    // Two are being read, 64 wait.
    for _ in 0..4 {
        assert_eq!(asked.next().await.unwrap().unwrap(), 503);
    }
    assert_eq!(server.store.loads.load(Ordering::SeqCst), loads + 2);
    assert_eq!(server.text("d").await, "ax", "what is in memory does not wait");
    gate.add_permits(1_000);
    while let Some(status) = asked.next().await {
        assert_eq!(status.unwrap(), 200);
    }
    server.stop().await;
}
