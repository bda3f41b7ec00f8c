//! The database of a stopped server, as nobody should touch it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use crate::harness::DataFolder;

/// Runs one statement, which must change a row.
pub fn change(data: &DataFolder, sql: &str) {
    assert_ne!(run(&data.path(), sql), 0, "{sql} has changed nothing");
}

fn run(folder: &Path, sql: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.join("quire.db"));
        let mut connection: SqliteConnection = options.connect().await.expect("the database opens");
        let done = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
        connection.close().await.expect("it closes");
        done.expect("a sound statement").rows_affected()
    })
}
