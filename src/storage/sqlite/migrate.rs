//! The schema, as steps that only go forward. The same numbers mean the same step in every backend.

use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;

/// Number, name and text of each step.
macro_rules! steps {
    ($($file:literal),* $(,)?) => {
        [$(($file, include_str!(concat!("../../../migrations/sqlite/", $file, ".sql")))),*]
    };
}

/// Listed by hand rather than by `sqlx::migrate!`, whose feature builds all of sqlx a second time.
const STEPS: [(&str, &str); 7] = steps![
    "0001_create_shards",
    "0002_create_documents",
    "0003_create_ops",
    "0004_create_clients",
    "0005_create_snapshots",
    "0006_create_recent_ops",
    "0007_create_recent_batches",
];

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let steps = STEPS.iter().zip(1..).map(|(&(file, sql), number)| {
        let name = file[5..].replace('_', " ");
        Migration::new(number, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.collect())
});

/// One step that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    pub number: i64,
    /// Its name as words: "create ops".
    pub name: String,
}

/// Why a schema cannot be brought to this program's version.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error("its schema is at step {found}, of a newer quire: this one knows {known}")]
    Newer { found: i64, known: usize },
    #[error(transparent)]
    Failed(#[from] MigrateError),
}

/// Brings the schema to this program's version and returns what was missing.
///
/// # Errors
/// A database that a newer program has migrated, or one whose applied steps read differently, is refused.
pub(super) async fn migrate(conn: &mut SqliteConnection) -> Result<Vec<Migrated>, SchemaError> {
    conn.ensure_migrations_table(&MIGRATOR.table_name).await?;
    let before = conn.list_applied_migrations(&MIGRATOR.table_name).await?;
    let newest = before.iter().map(|step| step.version).max();
    if let Some(found) = newest.filter(|found| *found > STEPS.len() as i64) {
        return Err(SchemaError::Newer { found, known: STEPS.len() });
    }
    MIGRATOR.run(&mut *conn).await?;
    let missing = MIGRATOR.iter().filter(|step| before.iter().all(|had| had.version != step.version));
    Ok(missing.map(|step| Migrated { number: step.version, name: step.description.to_string() }).collect())
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    /// Operations that an older program has left to be settled.
    #[tokio::test]
    async fn operations_of_their_own_rows_become_batches() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        Migrator::with_migrations(MIGRATOR.iter().take(6).cloned().collect()).run(&mut conn).await.unwrap();
        let left = "INSERT INTO recent_ops VALUES
            (7, 3, 'doc', 1, 1, x'0a0B', 4, 'guest:x', 99, 1, CAST('[{\"insert\":\"\u{e9}\"}]' AS BLOB))";
        sqlx::query(left).execute(&mut conn).await.unwrap();
        migrate(&mut conn).await.unwrap();
        let read = "SELECT batch, shard, doc_id, version, pos, hex(client_id), seq, user_id, at
            FROM unsettled_ops WHERE NOT touch AND preview IS NULL AND format = 1";
        type Row = (i64, i64, String, i64, i64, String, i64, String, i64);
        let row: Row = sqlx::query_as(read).fetch_one(&mut conn).await.unwrap();
        let expected = (7, 3, "doc".into(), 1, 1, "0A0B".into(), 4, "guest:x".into(), 99);
        assert_eq!(row, expected);
        let delta: Vec<u8> =
            sqlx::query_scalar("SELECT delta FROM unsettled_ops").fetch_one(&mut conn).await.unwrap();
        assert_eq!(delta, "[{\"insert\":\"\u{e9}\"}]".as_bytes());
    }

    #[test]
    fn the_number_in_a_file_name_is_the_number_of_the_step() {
        for (step, (file, _)) in MIGRATOR.iter().zip(STEPS) {
            assert!(file.starts_with(&format!("{:04}_", step.version)), "{file}");
        }
        assert_eq!(std::fs::read_dir("migrations/sqlite").unwrap().count(), STEPS.len());
    }
}
