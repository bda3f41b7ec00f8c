//! The schema of SQLite.

use std::sync::LazyLock;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::sqlite::SqliteConnection;

use crate::storage::schema::{self, Migrated, SchemaError, Step, steps};

const STEPS: &[Step] = steps!["sqlite":
    "0001_create_shards",
    "0002_create_documents",
    "0003_create_ops",
    "0004_create_clients",
    "0005_create_snapshots",
    "0006_create_recent_ops",
    "0007_create_recent_batches",
    "0008_create_users",
    "0009_create_permissions",
    "0010_create_watermarks",
    "0011_create_segments",
    "0012_create_forks",
    "0013_create_projections",
    "0014_create_accounts",
    "0015_create_sharing",
    "0017_create_named_versions",
    "0018_create_comments",
    "0020_create_audit",
    "0021_create_erasures",
    "0022_create_events",
    "0023_create_webhooks",
    "0024_create_restraints",
    "0025_prove_addresses",
    "0026_create_used_answers",
    "0028_list_what_erasures_purge",
    "0030_bind_keys_to_requests",
];

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| schema::migrator(STEPS));

/// Brings the schema to this program's version and returns what was missing.
///
/// # Errors
/// A database that a newer program has migrated, or one whose applied steps read differently, is refused.
pub(super) async fn migrate(conn: &mut SqliteConnection) -> Result<Vec<Migrated>, SchemaError> {
    conn.ensure_migrations_table(&MIGRATOR.table_name).await?;
    let applied = conn.list_applied_migrations(&MIGRATOR.table_name).await?;
    let missing = schema::missing(&MIGRATOR, &applied)?;
    MIGRATOR.run(&mut *conn).await?;
    Ok(missing)
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
        crate::storage::schema::tests::check_steps("migrations/sqlite", STEPS);
    }
}
