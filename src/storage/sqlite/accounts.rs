//! Statements about accounts.

use async_trait::async_trait;
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::SqliteStore;
use super::error::store_error;
use super::writer::WriterGuard;
use crate::storage::StoreError;
use crate::storage::accounts::tables::{Rows, Statement, Tables, backend};

backend! { SqliteRow, Query<'static, Sqlite, SqliteArguments>, |id| id.to_string() }

#[async_trait]
impl Tables for SqliteStore {
    async fn read(&self, statement: Statement) -> Result<Rows, StoreError> {
        bound(statement).fetch_all(&self.inner.readers).await.map(boxed).map_err(store_error)
    }

    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
        let write = async move |_, mut writer: WriterGuard| {
            let conn = writer.begin().await?;
            let mut answers = Vec::with_capacity(statements.len());
            let mut outcome = Ok(());
            for statement in statements {
                match bound(statement).fetch_all(&mut *conn).await {
                    Ok(rows) => answers.push(boxed(rows)),
                    Err(error) => {
                        outcome = Err(store_error(error));
                        break;
                    }
                }
            }
            writer.end(outcome.map(|()| answers)).await
        };
        self.inner.detached(write).await
    }
}
