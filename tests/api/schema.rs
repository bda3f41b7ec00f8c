//! A PostgreSQL database of a test's own.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

/// A database without anything in it: a schema of its own.
pub struct Schema {
    pub url: String,
}

impl Schema {
    pub fn new() -> Self {
        let server = std::env::var("QUIRE_TEST_POSTGRES")
            .expect("QUIRE_TEST_POSTGRES names a server: run `scripts/services/postgres with cargo test`");
        let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
        run(&server, &format!("CREATE SCHEMA {schema}"));
        Self { url: format!("{server}?options[search_path]={schema}") }
    }

    /// Runs statements as the owner of the server, and returns how many rows they have changed.
    pub fn run(&self, sql: &str) -> u64 {
        run(&self.url, sql)
    }

    /// Returns the one column of text that a statement reads.
    pub fn read(&self, sql: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.url).await.expect("the server answers");
            let read = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await;
            connection.close().await.expect("it closes");
            read.expect("a sound statement")
        })
    }
}

fn run(url: &str, sql: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.expect("the server answers");
        let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
        connection.close().await.expect("it closes");
        done.expect("a sound statement").rows_affected()
    })
}
