//! Statements over both databases: what they ask is the same text in each, so that accounts behave alike by being written once.
//!
//! Parameters are `$1` … in both; columns are text, numbers (64 bits), flags and bytes. UUIDs are text in one of them, and cast to it
//! where they are read.

use async_trait::async_trait;
use uuid::Uuid;

use crate::ids::Shard;
use crate::storage::StoreError;

/// A statement with its values. It has no `Debug`: there are secrets among these.
pub(in crate::storage) struct Statement {
    pub sql: &'static str,
    pub values: Vec<Value>,
}

/// A value of a statement.
pub(in crate::storage) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(bool),
    Bytes(Option<Vec<u8>>),
    Uuid(Option<Uuid>),
}

impl Statement {
    pub(in crate::storage) fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new() }
    }

    pub(in crate::storage) fn with(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<Option<&[u8]>> for Value {
    fn from(bytes: Option<&[u8]>) -> Self {
        Self::Bytes(bytes.map(<[u8]>::to_vec))
    }
}

/// A row, whose columns are asked for by name.
pub(in crate::storage) trait Columns: Send {
    fn text(&self, column: &str) -> Result<String, sqlx::Error>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>, sqlx::Error>;
    fn number(&self, column: &str) -> Result<i64, sqlx::Error>;
    fn maybe_number(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
    fn flag(&self, column: &str) -> Result<bool, sqlx::Error>;
    fn bytes(&self, column: &str) -> Result<Vec<u8>, sqlx::Error>;
    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error>;
}

/// The rows that a statement has answered with.
pub(in crate::storage) type Rows = Vec<Box<dyn Columns>>;

/// A database that runs statements.
#[async_trait]
pub(in crate::storage) trait Tables: Send + Sync {
    /// Runs one that only reads.
    async fn read(&self, statement: Statement) -> Result<Rows, StoreError>;

    /// Runs statements in order in one transaction, and returns the rows of each.
    ///
    /// # Errors
    /// `Conflict` where a constraint says so; nothing is written then.
    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError>;

    /// Tells whether several write at once, each of whom locks the rows that it changes.
    fn locks_rows(&self) -> bool {
        false
    }

    /// Returns what has to be written along with a change of a shard's log that is no append; `None` where nobody remembers any of it.
    fn changed(&self, _: Shard) -> Option<Statement> {
        None
    }
}

/// Reads the first row, if there is one.
///
/// # Errors
/// `Unavailable`: it is not what was asked for.
pub(in crate::storage) fn one<T>(
    rows: &Rows,
    read: impl Fn(&dyn Columns) -> Result<T, sqlx::Error>,
) -> Result<Option<T>, StoreError> {
    rows.first().map(|row| read(&**row)).transpose().map_err(StoreError::unavailable)
}

/// Reads all rows.
///
/// # Errors
/// As [`one`].
pub(in crate::storage) fn all<T>(
    rows: &Rows,
    read: impl Fn(&dyn Columns) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(|row| read(&**row)).collect::<Result<_, _>>().map_err(StoreError::unavailable)
}

/// Implements [`Columns`] for a backend's row, and binds values to its queries: UUIDs as `$uuid` makes them.
macro_rules! backend {
    ($row:ty, $query:ty, $uuid:expr) => {
        impl $crate::storage::accounts::tables::Columns for $row {
            fn text(&self, column: &str) -> Result<String, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn maybe_text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn number(&self, column: &str) -> Result<i64, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn maybe_number(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn bytes(&self, column: &str) -> Result<Vec<u8>, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }
        }

        fn bound(statement: $crate::storage::accounts::tables::Statement) -> $query {
            use $crate::storage::accounts::tables::Value;

            statement.values.into_iter().fold(sqlx::query(statement.sql), |query, value| match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Flag(flag) => query.bind(flag),
                Value::Bytes(bytes) => query.bind(bytes),
                Value::Uuid(id) => query.bind(id.map($uuid)),
            })
        }

        fn boxed(rows: Vec<$row>) -> $crate::storage::accounts::tables::Rows {
            rows.into_iter().map(|row| Box::new(row) as _).collect()
        }
    };
}
pub(in crate::storage) use backend;
