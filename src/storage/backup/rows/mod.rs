//! What a backup has beside documents and their logs: accounts, groups, who may do what, names of versions, comments.
//!
//! Rows go from one database into the other as they are, so that whoever adds a column has one place to name it. Secrets are as they are
//! stored: hashes of what is compared, and the secrets of second factors. What stands for a server or a browser is not among
//! them: see docs/disaster-recovery.md.

mod tables;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

pub use self::tables::{
    COMMENTS, NAMES, OF_THE_ERASED, OF_THE_SERVER, RIGHTS, Table, is_a_right, is_of_a_document, table,
};
use self::tables::{Column, Kind, TELL_NOBODY};
use crate::ids::{DocumentId, Version};
use crate::storage::StoreError;
use crate::storage::accounts::tables::{Columns, Statement, Tables, Value, all};

/// A row: its columns by name, without those that are NULL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(Map<String, Json>);

/// Rows of the tables that a backup has.
#[async_trait]
pub trait Belongings: Send + Sync {
    /// Reads rows of a table in the order of their keys, those of one document where they belong to one, at most `limit`.
    ///
    /// # Errors
    /// Storage does not oblige.
    async fn rows(
        &self,
        table: &'static Table,
        doc: Option<&DocumentId>,
        after: Option<&Row>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Writes rows in one transaction, of one document or of none. It is told to nobody as something that has happened.
    ///
    /// # Errors
    /// `Conflict` where something of the kind is there already; nothing is written then.
    async fn put_rows(
        &self,
        doc: Option<&DocumentId>,
        rows: &[(&'static Table, Row)],
    ) -> Result<(), StoreError>;
}

/// As they are shared.
pub type SharedBelongings = Arc<dyn Belongings>;

#[async_trait]
impl<T: Tables> Belongings for T {
    async fn rows(
        &self,
        table: &'static Table,
        doc: Option<&DocumentId>,
        after: Option<&Row>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut read = statement(table.read, doc);
        let key = &table.columns[..table.key];
        read.values.extend(match after {
            Some(row) => row.values(key).map_err(StoreError::unavailable)?,
            None => key.iter().map(Column::lowest).collect(),
        });
        all(&self.read(read.with(limit as i64)).await?, |row| Row::read(table, row))
    }

    async fn put_rows(
        &self,
        doc: Option<&DocumentId>,
        rows: &[(&'static Table, Row)],
    ) -> Result<(), StoreError> {
        let mut statements = Vec::with_capacity(rows.len() + 1);
        for (table, row) in rows {
            let mut write = statement(table.write, doc);
            write.values.extend(row.values(table.columns).map_err(StoreError::unavailable)?);
            statements.push(write);
        }
        statements.extend(doc.map(|_| statement(TELL_NOBODY, doc)));
        self.write(statements).await.map(|_| ())
    }
}

fn statement(sql: &'static str, doc: Option<&DocumentId>) -> Statement {
    match doc {
        Some(doc) => Statement::new(sql).with(doc.as_str()),
        None => Statement::new(sql),
    }
}

impl Row {
    fn read(table: &Table, row: &dyn Columns) -> Result<Self, sqlx::Error> {
        let mut read = Map::new();
        for &Column { name, kind, .. } in table.columns {
            let value = match kind {
                Kind::Text | Kind::Uuid => row.maybe_text(name)?.map(Json::from),
                Kind::Number => row.maybe_number(name)?.map(Json::from),
                Kind::Flag => Some(row.flag(name)?.into()),
                Kind::Bytes => row.maybe_bytes(name)?.map(|bytes| BASE64_STANDARD.encode(bytes).into()),
            };
            read.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(Self(read))
    }

    /// Makes sure that it is a row of this table.
    ///
    /// # Errors
    /// In words: what it has too much or too little of.
    pub fn check(&self, table: &Table) -> Result<(), String> {
        let known = |name: &String| table.columns.iter().any(|column| column.name == name);
        match self.0.keys().find(|name| !known(name)) {
            Some(name) => Err(format!("has a column {name:.64}, which {} have not", table.name)),
            None => self.values(table.columns).map(|_| ()),
        }
    }

    fn values(&self, columns: &[Column]) -> Result<Vec<Value>, String> {
        columns.iter().map(|column| self.value(column)).collect()
    }

    fn value(&self, column: &Column) -> Result<Value, String> {
        let Some(json) = self.0.get(column.name) else {
            return if column.may_lack {
                Ok(column.kind.nothing())
            } else {
                Err(format!("lacks a column {}", column.name))
            };
        };
        let value = match column.kind {
            Kind::Text => json.as_str().map(Value::from),
            Kind::Number => json.as_i64().map(Value::from),
            Kind::Flag => json.as_bool().map(Value::from),
            Kind::Bytes => {
                let bytes = json.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
                bytes.map(|bytes| Value::Bytes(Some(bytes)))
            }
            Kind::Uuid => {
                let id = json.as_str().and_then(|text| text.parse().ok());
                id.map(|id| Value::Uuid(Some(id)))
            }
        };
        value.ok_or_else(|| format!("has something else in column {} than belongs there", column.name))
    }

    /// Returns the version that a name is for, and when that was made.
    pub(super) fn named(&self) -> Option<(Version, i64)> {
        Some((self.0.get("version")?.as_u64()?, self.0.get("made_at")?.as_i64()?))
    }
}

impl Column {
    /// Returns what is below all that is there.
    fn lowest(&self) -> Value {
        match self.kind {
            Kind::Text => Value::from(""),
            Kind::Number => Value::from(i64::MIN),
            Kind::Flag => Value::from(false),
            Kind::Bytes => Value::Bytes(Some(Vec::new())),
            Kind::Uuid => Value::Uuid(Some(Uuid::nil())),
        }
    }
}

impl Kind {
    fn nothing(self) -> Value {
        match self {
            Self::Text => Value::Text(None),
            Self::Number => Value::Number(None),
            Self::Flag => Value::Flag(false),
            Self::Bytes => Value::Bytes(None),
            Self::Uuid => Value::Uuid(None),
        }
    }
}

#[cfg(test)]
mod tests;
