//! The schema of PostgreSQL.

use std::sync::LazyLock;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::PgConnection;

use crate::storage::schema::{self, Migrated, SchemaError, Step, steps};

const STEPS: &[Step] = steps!["postgres":
    "0001_create_shards",
    "0002_create_documents",
    "0003_create_ops",
    "0004_create_clients",
    "0005_create_snapshots",
    "0006_create_append",
    "0008_create_users",
    "0009_create_permissions",
    "0010_create_watermarks",
    "0011_create_segments",
    "0012_create_forks",
    "0013_create_projections",
    "0014_create_accounts",
    "0015_create_sharing",
    "0016_secure_rows",
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
    "0029_create_nodes",
    "0030_bind_keys_to_requests",
    "0031_exchange_node_secret",
    "0032_hold_requests_to_their_document",
    "0033_write_as_the_request",
    "0034_hold_groups_to_their_members",
];

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = schema::migrator(STEPS);
    // It is locked from before the first look.
    migrator.set_locking(false);
    migrator
});

/// Brings the schema to this program's version and returns what was missing. Of several that do so at once one does it,
/// and the others wait and find nothing missing. To be called on a connection that is closed afterwards: after an error
/// the lock goes with it.
///
/// # Errors
/// A database that a newer program has migrated, or one whose applied steps read differently, is refused.
pub(super) async fn migrate(conn: &mut PgConnection) -> Result<Vec<Migrated>, SchemaError> {
    conn.lock().await?;
    conn.ensure_migrations_table(&MIGRATOR.table_name).await?;
    let applied = conn.list_applied_migrations(&MIGRATOR.table_name).await?;
    let missing = schema::missing(&MIGRATOR, &applied)?;
    MIGRATOR.run(&mut *conn).await?;
    conn.unlock().await?;
    Ok(missing)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_number_in_a_file_name_is_the_number_of_the_step() {
        crate::storage::schema::tests::check_steps("migrations/postgres", super::STEPS);
    }
}
