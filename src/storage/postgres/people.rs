//! Rows about people.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::PostgresStore;
use super::error::store_error;
use super::rows::{self, integer};
use super::sessions::statement;
use crate::ids::{DocumentId, UserId};
use crate::storage::StoreError;
use crate::storage::people::{Columns, Erasing, Fate, People, PersonsDocument, Share};

const COLUMNS: &str = "SELECT CAST(table_name AS text) AS tab, CAST(column_name AS text) AS col
    FROM information_schema.columns WHERE table_schema = current_schema()";
const COUNT_SHARE: &str = "SELECT CAST(coalesce(sum(ops), 0) AS bigint) AS ops,
    CAST(coalesce(sum(bytes), 0) AS bigint) AS bytes
    FROM activity WHERE shard = $1 AND doc_id = $2 AND user_id = $3";
const BEGIN: &str = "INSERT INTO erasures (user_id, pseudonym, documents, begun_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (user_id) DO NOTHING";
const READ_ONE: &str = "SELECT * FROM erasures WHERE user_id = $1";
const READ_ALL: &str = "SELECT * FROM erasures ORDER BY begun_at, user_id";
const END: &str = "DELETE FROM erasures WHERE user_id = $1";
/// Appends share-lock the row that this changes, and forget what they remember of its shard.
const NOTE_CHANGE: &str = "UPDATE shards SET changes = changes + 1 WHERE shard = $1";

#[async_trait]
impl People for PostgresStore {
    async fn person(&self, user: &UserId) -> Result<Map<String, Value>, StoreError> {
        let columns = self.columns().await?;
        let mut person = Map::new();
        for (table, sql) in columns.read("json_build_object") {
            let read = sqlx::query(AssertSqlSafe(sql)).bind(&*user.0);
            let found = self.sessions.rows(read).await.map_err(store_error)?;
            let found: Result<Vec<Value>, _> = found.iter().map(shown).collect();
            let found = found.map_err(store_error)?;
            if !found.is_empty() {
                person.insert(table.to_owned(), Value::Array(found));
            }
        }
        Ok(person)
    }

    async fn documents_of(
        &self,
        user: &UserId,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<PersonsDocument>, StoreError> {
        let sql = self.columns().await?.documents();
        let read = sqlx::query(AssertSqlSafe(sql))
            .bind(&*user.0)
            .bind(after.map_or("", DocumentId::as_str))
            .bind(integer(limit as u64));
        let found = self.sessions.rows(read).await.map_err(store_error)?;
        found.iter().map(document).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn share_of(&self, user: &UserId, doc: &DocumentId) -> Result<Share, StoreError> {
        let count = statement(COUNT_SHARE).bind(i16::from(doc.shard())).bind(doc.as_str()).bind(&*user.0);
        let share = |row: PgRow| {
            Ok(Share { operations: rows::number(&row, "ops")?, bytes: rows::number(&row, "bytes")? })
        };
        let row = self.sessions.row(count).await;
        row.and_then(|row| row.map_or(Ok(Share::default()), share)).map_err(store_error)
    }

    async fn begin_erasure(&self, erasing: &Erasing) -> Result<Erasing, StoreError> {
        let begin = statement(BEGIN)
            .bind(&*erasing.user.0)
            .bind(&*erasing.pseudonym.0)
            .bind(erasing.fate.as_str())
            .bind(erasing.begun_at);
        self.sessions.run(begin).await.map_err(store_error)?;
        let row = self.sessions.row(statement(READ_ONE).bind(&*erasing.user.0)).await.map_err(store_error)?;
        // Somebody else has just ended it.
        row.map_or(Ok(erasing.clone()), |row| self::erasing(&row)).map_err(store_error)
    }

    async fn erasures(&self) -> Result<Vec<Erasing>, StoreError> {
        let found = self.sessions.rows(statement(READ_ALL)).await.map_err(store_error)?;
        found.iter().map(erasing).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn forget_person(&self, user: &UserId) -> Result<u64, StoreError> {
        let statements = self.columns().await?.forget();
        self.change(statements.into_iter().map(|sql| (sql, vec![user.0.to_string()])).collect(), None).await
    }

    async fn rename_in(&self, doc: &DocumentId, from: &UserId, to: &UserId) -> Result<u64, StoreError> {
        let values = vec![from.0.to_string(), to.0.to_string(), doc.as_str().to_owned()];
        let statements = self.columns().await?.rename_in();
        let shard = Some(i16::from(doc.shard()));
        self.change(statements.into_iter().map(|(sql, _)| (sql, values.clone())).collect(), shard).await
    }

    async fn rename_elsewhere(&self, from: &UserId, to: &UserId) -> Result<u64, StoreError> {
        let values = vec![from.0.to_string(), to.0.to_string()];
        let statements = self.columns().await?.rename_elsewhere();
        self.change(statements.into_iter().map(|sql| (sql, values.clone())).collect(), None).await
    }

    async fn end_erasure(&self, user: &UserId) -> Result<(), StoreError> {
        self.sessions.run(statement(END).bind(&*user.0)).await.map(|_| ()).map_err(store_error)
    }
}

impl PostgresStore {
    async fn columns(&self) -> Result<Columns, StoreError> {
        let found = self.sessions.rows(statement(COLUMNS)).await.map_err(store_error)?;
        let column = |row: &PgRow| Ok((row.try_get("tab")?, row.try_get("col")?));
        found.iter().map(column).collect::<Result<_, sqlx::Error>>().map_err(store_error)
    }

    /// Runs statements with their values, and a shard behind those where it is wanted, in one transaction; returns how many rows
    /// they have changed.
    async fn change(
        &self,
        statements: Vec<(String, Vec<String>)>,
        shard: Option<i16>,
    ) -> Result<u64, StoreError> {
        let change = async {
            let mut session = self.sessions.begin().await?;
            if let Some(shard) = shard {
                session.run(statement(NOTE_CHANGE).bind(shard)).await?;
            }
            let mut changed = 0;
            for (sql, values) in statements {
                let sharded = sql.contains("$4");
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for value in values {
                    query = query.bind(value);
                }
                if let Some(shard) = shard.filter(|_| sharded) {
                    query = query.bind(shard);
                }
                changed += session.run(query).await?;
            }
            session.commit().await?;
            Ok(changed)
        };
        change.await.map_err(store_error)
    }
}

fn shown(row: &PgRow) -> Result<Value, sqlx::Error> {
    serde_json::from_str(row.try_get("shown")?).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn document(row: &PgRow) -> Result<PersonsDocument, sqlx::Error> {
    Ok(PersonsDocument {
        doc: rows::document_id(row, "id")?,
        owns: row.try_get::<i64, _>("owns")? == 1,
        shared: row.try_get::<i64, _>("shared")? == 1,
    })
}

fn erasing(row: &PgRow) -> Result<Erasing, sqlx::Error> {
    Ok(Erasing {
        user: UserId(row.try_get::<&str, _>("user_id")?.into()),
        pseudonym: UserId(row.try_get::<&str, _>("pseudonym")?.into()),
        fate: Fate::read(row.try_get("documents")?),
        begun_at: row.try_get("begun_at")?,
    })
}
