//! The database itself: how it is named, made, and refused.

use futures_util::future::try_join_all;
use sqlx::Executor;

use super::{TestDatabase, server};
use crate::storage::postgres::{PostgresOptions, PostgresStore};
use crate::storage::{OpLog, OpenError};

#[tokio::test]
async fn of_servers_that_start_at_once_one_makes_the_schema() {
    let database = TestDatabase::new().await;
    let options = database.options();
    let migrated = try_join_all((0..4).map(|_| PostgresStore::migrate(&options))).await.unwrap();
    let mut applied: Vec<_> = migrated.iter().map(Vec::len).collect();
    applied.sort_unstable();
    let steps = std::fs::read_dir("migrations/postgres").unwrap().count();
    assert_eq!(applied, [0, 0, 0, steps]);
    let opened = try_join_all((0..2).map(|_| PostgresStore::open(options.clone()))).await.unwrap();
    assert_eq!(opened[1].last_positions().await.unwrap().iter().sum::<u64>(), 0);
}

#[tokio::test]
async fn a_schema_that_is_not_this_programs_own_is_refused() {
    let database = TestDatabase::new().await;
    database.open().await.close().await;
    let mut conn = database.connect().await;
    conn.execute("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 3").await.unwrap();
    let altered = PostgresStore::open(database.options()).await.unwrap_err();
    let OpenError::Server { source, .. } = &altered else { panic!("{altered:?}") };
    assert!(source.to_string().contains('3'), "{source}");

    conn.execute("UPDATE _sqlx_migrations SET version = 4711 WHERE version = 3").await.unwrap();
    let newer = PostgresStore::open(database.options()).await.unwrap_err();
    let OpenError::Server { source, .. } = &newer else { panic!("{newer:?}") };
    assert!(source.to_string().contains("step 4711"), "{source}");
}

#[tokio::test]
async fn a_database_without_a_schema_is_left_alone_by_those_who_only_look() {
    let database = TestDatabase::new().await;
    let empty = PostgresStore::expect(&database.options()).await;
    assert!(matches!(empty, Err(OpenError::Empty { .. })), "{empty:?}");
    let mut conn = database.connect().await;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(tables, 0);
    database.open().await.close().await;
    PostgresStore::expect(&database.options()).await.unwrap();
}

#[tokio::test]
async fn what_a_server_is_signed_in_with_is_in_no_message() {
    let server = server();
    let password = server.split(':').nth(2).and_then(|rest| rest.split('@').next()).unwrap();
    let wrong = server.replace(password, "hunter2");
    let options = PostgresOptions::new(&wrong).unwrap();
    let refused = PostgresStore::open(options.clone()).await.unwrap_err();
    for text in [format!("{options:?}"), format!("{refused:?}"), format!("{:#}", anyhow::Error::new(refused))]
    {
        assert!(!text.contains("hunter2") && text.contains("quire at 127.0.0.1"), "{text}");
    }
    for url in [
        "postgres://quire:hunter2@host:port/quire",
        "postgres://quire:hunter2@[/quire",
        "postgres://host/quire?passwort=hunter2",
        "hunter2",
    ] {
        let refused = PostgresOptions::new(url).unwrap_err();
        assert!(matches!(refused, OpenError::Address { .. }), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused:?}");
    }
    assert!(
        PostgresOptions::new("postgres://host/quire?passwort=x")
            .unwrap_err()
            .to_string()
            .contains("passwort")
    );
}

/// The plans of an append are made once, when nothing is there yet, and kept: they must not read what they need not.
#[tokio::test]
async fn nothing_is_read_as_a_whole_by_an_append() {
    let (database, owner) = super::Owner::alone().await;
    for version in 1..=6 {
        // One that remembers nothing each time.
        let store = database.open().await;
        store.append(&[owner.entry(version..=version)]).await.unwrap();
        store.close().await;
    }
    let mut conn = database.connect().await;
    let found = "SELECT idx_scan FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = 'documents'";
    let deadline = tokio::time::Instant::now() + super::PATIENCE;
    while sqlx::query_scalar::<_, i64>(found).fetch_one(&mut conn).await.unwrap() < 5 {
        assert!(tokio::time::Instant::now() < deadline, "the counters are not told");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let whole = "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables
        WHERE schemaname = current_schema() AND relname NOT IN ('_sqlx_migrations', 'shards')";
    let read: i64 = sqlx::query_scalar(whole).fetch_one(&mut conn).await.unwrap();
    assert_eq!(read, 0);
}
