//! Statements about accounts.

use async_trait::async_trait;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::error::store_error;
use super::sessions;
use crate::ids::Shard;
use crate::storage::StoreError;
use crate::storage::accounts::tables::{Rows, Statement, Tables, backend};

/// Appends share-lock the row that this changes, and forget what they remember of its shard.
/// With another type than in other places, and so with another text: statements are remembered by that.
const NOTE_CHANGE: &str = "UPDATE shards SET changes = changes + 1 WHERE shard = CAST($1 AS smallint)";

backend! { PgRow, sessions::Statement<'static>, std::convert::identity }

#[async_trait]
impl Tables for PostgresStore {
    async fn read(&self, statement: Statement) -> Result<Rows, StoreError> {
        self.sessions.rows(bound(statement)).await.map(boxed).map_err(store_error)
    }

    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
        let run = async {
            let mut session = self.sessions.begin().await?;
            let mut answers = Vec::with_capacity(statements.len());
            for statement in statements {
                answers.push(boxed(session.rows(bound(statement)).await?));
            }
            session.commit().await?;
            Ok(answers)
        };
        run.await.map_err(store_error)
    }

    fn locks_rows(&self) -> bool {
        true
    }

    fn changed(&self, shard: Shard) -> Option<Statement> {
        Some(Statement::new(NOTE_CHANGE).with(i64::from(shard)))
    }
}
