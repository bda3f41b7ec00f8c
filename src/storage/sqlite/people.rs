//! Rows about people.

use async_trait::async_trait;
use serde_json::{Map, Value};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::bulk::integer;
use super::error::store_error;
use super::writer::WriterGuard;
use super::{SqliteStore, rows};
use crate::ids::{DocumentId, UserId};
use crate::storage::StoreError;
use crate::storage::people::{Columns, Erasing, Fate, People, PersonsDocument, Share};

const COLUMNS: &str =
    "SELECT m.name AS tab, p.name AS col FROM sqlite_master AS m, pragma_table_info(m.name) AS p
    WHERE m.type = 'table'";
const COUNT_SHARE: &str =
    "SELECT COALESCE(SUM(ops), 0) AS ops, COALESCE(SUM(bytes), 0) AS bytes FROM activity
    WHERE shard = ?1 AND doc_id = ?2 AND user_id = ?3";
const BEGIN: &str = "INSERT INTO erasures (user_id, pseudonym, documents, begun_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (user_id) DO NOTHING";
const READ_ONE: &str = "SELECT * FROM erasures WHERE user_id = ?1";
const READ_ALL: &str = "SELECT * FROM erasures ORDER BY begun_at, user_id";
const END: &str = "DELETE FROM erasures WHERE user_id = ?1";

#[async_trait]
impl People for SqliteStore {
    async fn person(&self, user: &UserId) -> Result<Map<String, Value>, StoreError> {
        let columns = self.columns().await?;
        let mut person = Map::new();
        for (table, sql) in columns.read("json_object") {
            let read = sqlx::query(AssertSqlSafe(sql)).bind(&*user.0).fetch_all(&self.inner.readers);
            let found = read.await.map_err(store_error)?;
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
            .bind(integer(limit as u64))
            .fetch_all(&self.inner.readers);
        let found = read.await.map_err(store_error)?;
        found.iter().map(document).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn share_of(&self, user: &UserId, doc: &DocumentId) -> Result<Share, StoreError> {
        let row = sqlx::query(COUNT_SHARE)
            .bind(i64::from(doc.shard()))
            .bind(doc.as_str())
            .bind(&*user.0)
            .fetch_one(&self.inner.readers)
            .await;
        let share = |row: SqliteRow| {
            Ok(Share { operations: rows::number(&row, "ops")?, bytes: rows::number(&row, "bytes")? })
        };
        row.and_then(share).map_err(store_error)
    }

    async fn begin_erasure(&self, erasing: &Erasing) -> Result<Erasing, StoreError> {
        let new = erasing.clone();
        let begin = async move |_, mut writer: WriterGuard| {
            let begun = begin(writer.begin().await?, &new).await.map_err(store_error);
            writer.end(begun).await
        };
        self.inner.detached(begin).await
    }

    async fn erasures(&self) -> Result<Vec<Erasing>, StoreError> {
        let found = sqlx::query(READ_ALL).fetch_all(&self.inner.readers).await.map_err(store_error)?;
        found.iter().map(erasing).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn forget_person(&self, user: &UserId) -> Result<u64, StoreError> {
        let statements = self.columns().await?.forget();
        self.change(statements.into_iter().map(|sql| (sql, vec![user.0.to_string()])).collect(), None).await
    }

    async fn rename_in(&self, doc: &DocumentId, from: &UserId, to: &UserId) -> Result<u64, StoreError> {
        let values = vec![from.0.to_string(), to.0.to_string(), doc.as_str().to_owned()];
        let statements = self.columns().await?.rename_in();
        let shard = Some(i64::from(doc.shard()));
        self.change(statements.into_iter().map(|(sql, _)| (sql, values.clone())).collect(), shard).await
    }

    async fn rename_elsewhere(&self, from: &UserId, to: &UserId) -> Result<u64, StoreError> {
        let values = vec![from.0.to_string(), to.0.to_string()];
        let statements = self.columns().await?.rename_elsewhere();
        self.change(statements.into_iter().map(|sql| (sql, values.clone())).collect(), None).await
    }

    async fn end_erasure(&self, user: &UserId) -> Result<(), StoreError> {
        self.change(vec![(END.to_owned(), vec![user.0.to_string()])], None).await.map(|_| ())
    }
}

impl SqliteStore {
    async fn columns(&self) -> Result<Columns, StoreError> {
        let found = sqlx::query(COLUMNS).fetch_all(&self.inner.readers).await.map_err(store_error)?;
        let column = |row: &SqliteRow| Ok((row.try_get("tab")?, row.try_get("col")?));
        found.iter().map(column).collect::<Result<_, _>>().map_err(store_error)
    }

    /// Runs statements with their values, and a shard behind those where it is wanted, in one transaction; returns how many rows
    /// they have changed.
    async fn change(
        &self,
        statements: Vec<(String, Vec<String>)>,
        shard: Option<i64>,
    ) -> Result<u64, StoreError> {
        let change = async move |_, mut writer: WriterGuard| {
            let changed = change(writer.begin().await?, statements, shard).await.map_err(store_error);
            writer.end(changed).await
        };
        self.inner.detached(change).await
    }
}

async fn change(
    conn: &mut SqliteConnection,
    statements: Vec<(String, Vec<String>)>,
    shard: Option<i64>,
) -> Result<u64, sqlx::Error> {
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
        changed += query.execute(&mut *conn).await?.rows_affected();
    }
    Ok(changed)
}

async fn begin(conn: &mut SqliteConnection, new: &Erasing) -> Result<Erasing, sqlx::Error> {
    sqlx::query(BEGIN)
        .bind(&*new.user.0)
        .bind(&*new.pseudonym.0)
        .bind(new.fate.as_str())
        .bind(new.begun_at)
        .execute(&mut *conn)
        .await?;
    erasing(&sqlx::query(READ_ONE).bind(&*new.user.0).fetch_one(conn).await?)
}

fn shown(row: &SqliteRow) -> Result<Value, sqlx::Error> {
    serde_json::from_str(row.try_get("shown")?).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn document(row: &SqliteRow) -> Result<PersonsDocument, sqlx::Error> {
    Ok(PersonsDocument {
        doc: rows::document_id(row, "id")?,
        owns: row.try_get::<i64, _>("owns")? == 1,
        shared: row.try_get::<i64, _>("shared")? == 1,
    })
}

fn erasing(row: &SqliteRow) -> Result<Erasing, sqlx::Error> {
    Ok(Erasing {
        user: UserId(row.try_get::<&str, _>("user_id")?.into()),
        pseudonym: UserId(row.try_get::<&str, _>("pseudonym")?.into()),
        fate: Fate::read(row.try_get("documents")?),
        begun_at: row.try_get("begun_at")?,
    })
}
