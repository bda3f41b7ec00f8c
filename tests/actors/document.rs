//! One document's actor by itself, on the test's own thread: what is sent without waiting in between lies in its mailbox
//! together.

use std::sync::atomic::Ordering;
use std::time::Instant;

use actix::prelude::*;
use quire::actors::document::operation::Submission;
use quire::actors::document::{
    AppendRefused, Birth, DocumentActor, Report, Reported, SubmitAndWait, rehydrate,
};
use quire::actors::error::Refusal;
use quire::config::DocumentSettings;
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
        let read = rehydrate::read(actors.store.clone(), actors.bodies.clone(), doc, Vec::new());
        let birth = Birth { incarnation: INCARNATION, state: read.await.unwrap() };
        let document = DocumentActor::begin(birth, actors.shared.clone());
        Self { actors, document, client: ClientId::generate() }
    }

    /// Sends an operation as REST would; the answer comes with the returned future.
    fn submit(&self, seq: u64, base: Version) -> impl Future<Output = Result<Version, Refusal>> + use<> {
        let submission = Submission {
            session: None,
            client: self.client,
            seq,
            user: UserId::guest(self.client),
            base,
            delta: Delta::new().insert("x", Attributes::default()),
            received: Instant::now(),
            rebased: None,
        };
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
