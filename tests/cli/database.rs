//! The database of a stopped server, as nobody should touch it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::harness::DataFolder;

/// Runs one statement, which must change a row.
pub fn change(data: &DataFolder, sql: &str) {
    let changed = opened(&data.path(), async |connection| {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(|done| done.rows_affected())
    });
    assert_ne!(changed, 0, "{sql} has changed nothing");
}

/// Returns the one number that a query has for its answer.
pub fn number(data: &DataFolder, sql: &str) -> usize {
    let number: i64 = opened(&data.path(), async |connection| {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await
    });
    number.try_into().expect("a count")
}

fn opened<T>(folder: &Path, work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.join("quire.db"));
        let mut connection: SqliteConnection = options.connect().await.expect("the database opens");
        let done = work(&mut connection).await;
        connection.close().await.expect("it closes");
        done.expect("a sound statement")
    })
}
