use super::*;

fn frame(base: Version, upto: Version, bytes: usize) -> OpsFrame {
    OpsFrame { base, upto, bytes: Bytes::from(vec![upto as u8; bytes]) }
}

fn next(outbox: &Outbox) -> Poll<Next> {
    outbox.poll_next(&mut Context::from_waker(Waker::noop()))
}

fn drain(outbox: &Outbox) -> (usize, Poll<Next>) {
    let mut bytes = 0;
    loop {
        match next(outbox) {
            Poll::Ready(Next::Frames(chunk)) => bytes += chunk.len(),
            other => return (bytes, other),
        }
    }
}

#[test]
fn nothing_precedes_the_welcome_but_answers_to_a_client_that_has_not_said_hello() {
    let outbox = Outbox::default();
    outbox.push_control(Bytes::from_static(b"error"));
    assert_eq!(drain(&outbox), (5, Poll::Pending));
    outbox.begin(5);
    outbox.push_ops(&frame(5, 6, 3));
    assert_eq!(next(&outbox), Poll::Pending);
    outbox.open(vec![Bytes::from_static(b"w")], 5);
    assert_eq!(next(&outbox), Poll::Ready(Next::Frames(Bytes::from_static(b"w\x06\x06\x06"))));
    assert_eq!(next(&outbox), Poll::Pending);
}

#[test]
fn what_is_left_out_before_the_welcome_is_fetched_after_it() {
    let misses: [fn(&Outbox) -> bool; 2] =
        [|o| o.push_presence(&Bytes::from_static(b"p")), |o| o.push_ops(&frame(6, 7, 1))];
    for miss in misses {
        let outbox = Outbox::default();
        outbox.begin(5);
        assert!(!miss(&outbox));
        assert_eq!(next(&outbox), Poll::Pending, "nothing precedes the welcome");
        outbox.open(vec![Bytes::from_static(b"w")], 5);
        assert_eq!(drain(&outbox), (1, Poll::Ready(Next::FetchDue)));
    }
}

#[test]
fn versions_that_were_sent_are_skipped_and_a_gap_is_fetched() {
    let outbox = Outbox::default();
    outbox.begin(5);
    outbox.open(vec![], 5);
    assert!(outbox.push_ops(&frame(3, 5, 1)), "skipped");
    assert!(!outbox.push_ops(&frame(7, 8, 1)), "a gap");
    assert_eq!(next(&outbox), Poll::Ready(Next::FetchDue));
    assert_eq!(next(&outbox), Poll::Pending, "it is told once");
    outbox.push_history(&frame(5, 8, 1));
    assert!(outbox.resume_live(8));
    assert!(outbox.push_ops(&frame(8, 9, 1)));
    assert_eq!(drain(&outbox), (2, Poll::Pending));
}

#[test]
fn a_reader_that_never_reads_costs_no_more_than_the_budget() {
    let outbox = Outbox::default();
    outbox.begin(0);
    outbox.open(vec![], 0);
    for version in 0..10_000 {
        outbox.push_ops(&frame(version, version + 1, 1_000));
        outbox.push_presence(&Bytes::from_static(b"presence"));
    }
    let (bytes, end) = drain(&outbox);
    assert!(bytes <= BUDGET, "{bytes}");
    assert_eq!(end, Poll::Ready(Next::FetchDue));
    assert!(!outbox.resume_live(10_000), "it is still behind");
    assert_eq!(next(&outbox), Poll::Ready(Next::FetchDue));
}

#[test]
fn a_reader_that_misses_presence_is_behind_and_will_be_told() {
    let outbox = Outbox::default();
    outbox.begin(0);
    outbox.open(vec![], 0);
    let presence = Bytes::from_static(b"presence");
    assert!(outbox.push_presence(&presence));
    outbox.push_ops(&frame(0, 1, BUDGET / 2));
    assert!(!outbox.push_presence(&presence));
    assert_eq!(drain(&outbox).1, Poll::Ready(Next::FetchDue));
    assert!(outbox.resume_live(1));
    assert!(outbox.push_presence(&presence));
}

#[test]
fn a_welcome_larger_than_the_budget_leaves_room_for_answers() {
    let outbox = Outbox::default();
    outbox.begin(0);
    outbox.open(vec![Bytes::from(vec![0; 3 * BUDGET])], 0);
    assert!(outbox.push_control(Bytes::from_static(b"pong")));
    assert!(outbox.push_ops(&frame(0, 1, 10)));
    assert_eq!(outbox.welcome_left(), 3 * BUDGET);
    assert_eq!(drain(&outbox), (3 * BUDGET + 14, Poll::Pending));
    assert_eq!(outbox.welcome_left(), 0);
}

#[test]
fn nothing_follows_the_close() {
    let outbox = Outbox::default();
    outbox.begin(0);
    outbox.open(vec![], 0);
    outbox.close([Bytes::from_static(b"bye")]);
    outbox.push_ops(&frame(0, 1, 1));
    outbox.push_control(Bytes::from_static(b"late"));
    assert_eq!(drain(&outbox), (3, Poll::Ready(Next::Finished)));
}

#[test]
fn a_large_frame_is_handed_out_in_pieces() {
    let outbox = Outbox::default();
    outbox.begin(0);
    outbox.open(vec![Bytes::from(vec![0; 3 * CHUNK])], 0);
    assert!(matches!(next(&outbox), Poll::Ready(Next::Frames(piece)) if piece.len() == CHUNK));
    assert_eq!(drain(&outbox), (2 * CHUNK, Poll::Pending));
}
