//! One document's actor by itself, on the test's own thread: what is sent without waiting in between lies in its mailbox
//! together.

use std::sync::atomic::Ordering;
use std::time::Instant;

use actix::prelude::*;
use quire::actors::document::operation::Submission;
use quire::actors::document::{
    AppendRefused, Birth, DocumentActor, Read, Report, Reported, SubmitAndWait, rehydrate,
};
use quire::actors::error::{ErrorCode, Refusal};
use quire::config::{DocumentSettings, Limits};
use quire::ids::{ClientId, DocumentId, UserId, Version};
use quire::ot::{Attributes, Delta};

use super::harness::{Actors, PATIENCE};

const INCARNATION: u64 = 1;

struct Fixture {
    actors: Actors,
    document: Addr<DocumentActor>,
    client: ClientId,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(DocumentSettings::default()).await
    }

    async fn with(settings: DocumentSettings) -> Self {
        let actors = Actors::start(settings).await;
        let doc: DocumentId = "d".parse().unwrap();
        actors.create(&doc, None).await;
        let (store, bodies) = (actors.store.clone(), actors.bodies.clone());
        let read = rehydrate::read(store, bodies, doc, Vec::new(), settings);
        let birth = Birth { incarnation: INCARNATION, state: read.await.unwrap() };
        let document = DocumentActor::begin(birth, actors.shared.clone());
        Self { actors, document, client: ClientId::generate() }
    }

    /// Sends an operation as REST would: an `x` at the beginning.
    fn submit(&self, seq: u64, base: Version) -> impl Future<Output = Result<Version, Refusal>> + use<> {
        self.submit_of(self.client, seq, base, Delta::new().insert("x", Attributes::default()))
    }

    /// Sends an operation as REST would; the answer comes with the returned future.
    fn submit_of(
        &self,
        client: ClientId,
        seq: u64,
        base: Version,
        delta: Delta,
    ) -> impl Future<Output = Result<Version, Refusal>> + use<> {
        let (user, received) = (UserId::guest(client), Instant::now());
        let submission =
            Submission { session: None, client, seq, user, base, delta, received, rebased: None };
        // Queued now and not when it is first polled.
        let (answer, answered) = tokio::sync::oneshot::channel();
        let request = self.document.send(SubmitAndWait(submission));
        let mut request = Box::pin(request);
        let early = futures_util::FutureExt::now_or_never(&mut request);
        assert!(early.is_none());
        actix_rt::spawn(async move {
            let _ = answer.send(request.await);
        });
        async move {
            let answered: Result<_, _> =
                tokio::time::timeout(PATIENCE, answered).await.expect("an answer in time");
            answered.unwrap().unwrap()
        }
    }

    /// Makes so many versions, each of which has one `x` more.
    async fn write(&self, versions: u64) {
        for version in 1..=versions {
            assert_eq!(self.submit(version, version - 1).await, Ok(version));
        }
    }

    /// Sends an operation of somebody else: an `o` behind all that there was at `base`, so many characters.
    fn submit_late(&self, base: Version) -> impl Future<Output = Result<Version, Refusal>> + use<> {
        let delta = Delta::new().retain(base, Attributes::default()).insert("o", Attributes::default());
        self.submit_of(ClientId::generate(), 1, base, delta)
    }

    async fn text(&self) -> String {
        self.document.send(Read).await.unwrap().content.text()
    }
}

#[actix_rt::test]
async fn a_late_resend_is_told_apart_when_the_commit_after_it_is_refused_just_then() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.submit(3, 0).await, Ok(1));
    assert_eq!(fixture.submit(5, 1).await, Ok(2));
    let before = fixture.actors.store.appends.load(Ordering::SeqCst);
    let _held = fixture.actors.store.hold_appends();
    let under_way = fixture.submit(6, 2);
    fixture.actors.store.until(|store| store.appends.load(Ordering::SeqCst) > before).await;
    // One behind the other: the refusal makes the document forget a client of whom nothing is under way any more.
    let resent = fixture.submit(3, 0);
    let refused = Some(AppendRefused::Unavailable("said by the test".into()));
    let report = Report::Settled { durable: 0, refused };
    fixture.document.do_send(Reported { incarnation: INCARNATION, report });
    assert_eq!(resent.await, Ok(1), "it is the version that it made");
    assert!(under_way.await.is_err());
}

#[actix_rt::test]
async fn an_operation_from_before_the_tail_is_transformed_over_the_log() {
    let fixture = Fixture::new().await;
    fixture.write(1_501).await;
    let reading = fixture.actors.store.hold_reads();
    let late = fixture.submit_late(1);
    // What is in memory does not go back so far.
    fixture.actors.store.until(|store| store.reads.load(Ordering::SeqCst) > 0).await;
    reading.add_permits(100);
    assert_eq!(late.await, Ok(1_502));
    // Everything else was typed before the one `x` that it stood behind.
    assert_eq!(fixture.text().await, "x".repeat(1_501) + "o");
}

#[actix_rt::test]
async fn a_base_may_be_so_many_versions_behind_and_no_more() {
    let limits = Limits { base_lag: 20, ..Limits::default() };
    let settings = DocumentSettings { limits, tail_ops: 10, ..DocumentSettings::default() };
    let fixture = Fixture::with(settings).await;
    fixture.write(30).await;
    let refusal = fixture.submit_late(9).await.unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StaleBase, "{refusal}");
    assert_eq!(fixture.submit_late(10).await, Ok(31));
    assert_eq!(fixture.text().await, "x".repeat(30) + "o");
}
