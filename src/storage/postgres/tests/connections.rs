//! Connections that end, hang and come back.

use std::time::{Duration, Instant};

use sqlx::Executor;

use super::relay::Relay;
use super::{Held, Owner, PATIENCE, TestDatabase, doc, is_unknown, server};
use crate::ids::Version;
use crate::storage::postgres::{PostgresOptions, PostgresStore};
use crate::storage::{
    AppendError, DocumentStore, ListQuery, OpLog, OwnershipStore, SnapshotIndex, StoreError,
};

/// A server whose database is behind a relay.
async fn behind_a_relay() -> (TestDatabase, Relay, Owner) {
    let database = TestDatabase::new().await;
    let relay = Relay::to(&server()).await;
    let mut options = PostgresOptions::new(&database.url(Some(relay.port))).unwrap();
    options.statement_within = Duration::from_secs(1);
    options.connect_within = Duration::from_secs(1);
    let owner = Owner::new(PostgresStore::open(options).await.unwrap(), "node-1").await;
    (database, relay, owner)
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_of_unknown_outcome_and_there() {
    let (_database, relay, mut owner) = behind_a_relay().await;
    owner.append(1..=3).await.unwrap();
    relay.lose_answers();
    let appended = owner.append(4..=5).await;
    assert!(is_unknown(&appended), "{appended:?}");
    relay.mend();
    assert_eq!(owner.raise_and_look().await.unwrap(), 5);
    owner.append(6..=6).await.unwrap();
    assert_eq!(owner.head().await.unwrap(), 6);
}

#[tokio::test]
async fn an_append_that_is_cut_off_is_of_unknown_outcome_and_not_there_in_parts() {
    let (database, mut owner) = Owner::alone().await;
    owner.append(1..=3).await.unwrap();
    let held = Held::clients(&database).await;
    let (appended, ()) = tokio::join!(owner.append(4..=5), async {
        database.wait_for_waiting(1).await;
        database.end_append().await;
    });
    assert!(is_unknown(&appended), "{appended:?}");
    held.release().await;
    assert_eq!(owner.raise_and_look().await.unwrap(), 3);
    owner.append(4..=4).await.unwrap();
    assert_eq!(owner.head().await.unwrap(), 4);
}

/// The journal gives up after its time; the server goes on with what it has been sent.
#[tokio::test]
async fn a_look_at_an_append_that_was_given_up_waits_for_it() {
    let (database, mut owner) = Owner::alone().await;
    owner.append(1..=3).await.unwrap();
    let held = Held::clients(&database).await;
    tokio::select! {
        appended = owner.append(4..=5) => panic!("{appended:?}"),
        () = database.wait_for_waiting(1) => {}
    }
    let (head, ()) = tokio::join!(owner.raise_and_look(), async {
        database.wait_for_waiting(2).await;
        held.release().await;
    });
    assert_eq!(head.unwrap(), 5);
    owner.append(6..=6).await.unwrap();
}

/// The server answers a statement before it commits it.
#[tokio::test]
async fn a_commit_that_fails_is_no_success() {
    let (database, owner) = Owner::alone().await;
    owner.append(1..=3).await.unwrap();
    let mut conn = database.connect().await;
    conn.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END; $$;
         CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON clients DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION fail();",
    )
    .await
    .unwrap();
    let refused = owner.append(4..=4).await;
    assert!(matches!(refused, Err(AppendError::Refused(StoreError::Unavailable(_)))), "{refused:?}");
    assert_eq!(owner.head().await.unwrap(), 3);
    conn.execute("DROP TRIGGER late ON clients").await.unwrap();
    owner.append(4..=4).await.unwrap();
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_refused_for_certain() {
    let database = TestDatabase::new().await;
    let mut options = database.options();
    options.statement_within = Duration::from_secs(1);
    let owner = Owner::new(PostgresStore::open(options).await.unwrap(), "node-1").await;
    owner.append(1..=3).await.unwrap();
    let held = Held::clients(&database).await;
    let refused = owner.append(4..=4).await;
    assert!(matches!(refused, Err(AppendError::Refused(StoreError::Unavailable(_)))), "{refused:?}");
    held.release().await;
    assert_eq!(owner.head().await.unwrap(), 3);
    owner.append(4..=4).await.unwrap();
}

#[tokio::test]
async fn a_network_that_falls_silent_is_unavailable_in_time_and_mends_by_itself() {
    let (_database, relay, mut owner) = behind_a_relay().await;
    owner.append(1..=3).await.unwrap();
    owner.store.document(&doc()).await.unwrap();
    relay.fall_silent();
    let begun = Instant::now();
    let document = doc();
    let reads = (0..20).map(|_| owner.store.document(&document));
    let (appended, reads) = tokio::join!(owner.append(4..=4), futures_util::future::join_all(reads));
    assert!(is_unknown(&appended), "{appended:?}");
    assert!(reads.iter().all(|read| matches!(read, Err(StoreError::Unavailable(_)))), "{reads:?}");
    assert!(begun.elapsed() < PATIENCE / 3, "{:?}", begun.elapsed());
    relay.mend();
    assert_eq!(owner.raise_and_look().await.unwrap(), 3);
    owner.append(4..=4).await.unwrap();
    assert_eq!(owner.head().await.unwrap(), 4);
}

/// A server whose connections can be told from those of other tests.
async fn named() -> (TestDatabase, Owner) {
    let database = TestDatabase::new().await;
    let named = format!("{}&application_name={}", database.url(None), database.schema);
    let options = PostgresOptions::new(&named).unwrap();
    let owner = Owner::new(PostgresStore::open(options).await.unwrap(), "node-1").await;
    (database, owner)
}

/// Ends all connections of [`named`], and waits until they are not trusted any more.
async fn end_all(database: &TestDatabase) {
    let mut conn = database.connect().await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = current_schema() AND state = 'idle'";
    let ended: i64 = sqlx::query_scalar(end).fetch_one(&mut conn).await.unwrap();
    assert!(ended >= 2, "{ended}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

/// A server that was started again, while nothing was written.
#[tokio::test]
async fn connections_that_have_ended_at_rest_are_replaced_unnoticed() {
    let (database, owner) = named().await;
    owner.append(1..=3).await.unwrap();
    owner.store.document(&doc()).await.unwrap();
    end_all(&database).await;
    owner.store.document(&doc()).await.unwrap();
    owner.append(4..=4).await.unwrap();
    assert_eq!(owner.head().await.unwrap(), 4);
}

/// As an asynchronous standby may have that has become the primary.
#[tokio::test]
async fn a_log_that_has_lost_its_end_is_not_gone_on_with() {
    let (database, owner) = named().await;
    owner.append(1..=3).await.unwrap();
    end_all(&database).await;
    database.connect().await.execute("DELETE FROM ops WHERE version = 3").await.unwrap();
    let appended = owner.append(4..=4).await;
    let Err(AppendError::Entries(refused)) = appended else { panic!("{appended:?}") };
    assert!(matches!(refused[..], [(0, StoreError::Conflict { .. })]), "{refused:?}");
}

/// What the database takes no text with, people may type.
#[tokio::test]
async fn no_character_that_somebody_types_holds_up_a_batch() {
    let (_database, owner) = Owner::alone().await;
    let mut entry = owner.entry(1..=3);
    (entry.touch, entry.preview) = (true, Some("a\0b".to_owned()));
    owner.store.append(&[entry]).await.unwrap();
    assert_eq!(owner.store.document(&doc()).await.unwrap().preview, "a\u{fffd}b");
    let query = ListQuery { text: Some("a\0".to_owned()), limit: 9, ..ListQuery::default() };
    assert_eq!(owner.store.list_documents(&query).await.unwrap(), []);
    assert_eq!(owner.store.snapshots(&doc(), Version::MAX, 9).await.unwrap(), []);
    assert!(owner.store.raise("node-1", &[(doc().shard(), owner.epoch())]).await.is_ok());
}
