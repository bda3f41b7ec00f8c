use std::collections::BTreeSet;

use super::places::PEOPLE;
use super::*;
use crate::storage::accounts::tables::{Statement, Tables};
use crate::storage::postgres::tests::TestDatabase;
use crate::storage::{DataDir, SqliteOptions, SqliteStore};

const SQLITE: &str =
    "SELECT m.name AS tab, p.name AS col FROM sqlite_master AS m, pragma_table_info(m.name) AS p
    WHERE m.type = 'table' AND p.type = 'TEXT'";
const POSTGRES: &str = "SELECT CAST(c.relname AS text) AS tab, CAST(a.attname AS text) AS col
    FROM pg_class AS c INNER JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = CAST(CAST(current_schema() AS text) AS regnamespace) AND c.relkind IN ('r', 'p')
        AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = CAST('text' AS regtype)";

/// What columns of these names have in whatever table: nobody's id.
const NEVER: &[&str] = &[
    "chain", "doc_id", "group_id", "history", "key", "kind", "node", "parent", "plain", "preview", "reader",
    "role",
];

/// Columns that have nobody's id, or keep one, and why.
const EXCEPT: &[(&str, &str, &str)] = &[
    ("audit", "action", "a word of the server"),
    ("audit", "actor", "records stay until they are too old, and can be changed by nobody"),
    ("audit", "address", "as the actor"),
    ("audit", "details", "as the actor"),
    ("audit", "outcome", "a word of the server"),
    ("audit", "subject", "as the actor"),
    ("bans", "id", "of a ban"),
    ("bans", "network", "of many"),
    ("bans", "reason", "what administrators have typed"),
    ("bans", "user_id", "nobody comes in again by being erased"),
    ("comments", "id", "of a comment"),
    ("comments", "text", "what people have typed"),
    ("credentials", "password", "goes with its row"),
    ("documents", "id", "of a document"),
    ("documents", "link_role", "a word of the server"),
    ("documents", "search", "what people have typed"),
    ("documents", "title", "what people have typed"),
    ("erasures", "documents", "a word of the server"),
    ("erasures", "pseudonym", "tells nothing"),
    ("erasures", "user_id", "until the erasure ends"),
    ("erasure_documents", "user_id", "until the erasure ends"),
    ("event_outbox", "data", "versions and words of the server"),
    ("events", "data", "versions and words of the server"),
    ("named_versions", "name", "what people have typed"),
    ("nodes", "url", "of a server"),
    ("recent_batches", "ops", "settled before a server begins, and so before anybody is renamed in logs"),
    ("repeats", "made", "of a client or a comment"),
    ("segments", "object_key", "hashes"),
    ("service_tokens", "id", "of a key"),
    ("service_tokens", "scopes", "words of the server"),
    ("share_links", "id", "of a link"),
    ("sign_ins", "id", "of a sign-in"),
    ("signing_keys", "kid", "of a key"),
    ("user_groups", "id", "of a group"),
    ("user_groups", "name", "what people have typed"),
    ("users", "issuer", "of many"),
    ("webhook_deliveries", "data", "versions and words of the server"),
    ("webhook_deliveries", "error", "words of the server"),
    ("webhook_deliveries", "hook_id", "of a webhook"),
    ("webhook_deliveries", "id", "of a delivery"),
    ("webhook_deliveries", "state", "a word of the server"),
    ("webhooks", "id", "of a webhook"),
    ("webhooks", "kinds", "words of the server"),
    ("webhooks", "reason", "words of the server"),
    ("webhooks", "url", "goes with its row"),
];

async fn is_complete(database: &impl Tables, columns: &'static str) {
    let found = database.read(Statement::new(columns)).await.unwrap();
    let found: BTreeSet<_> =
        found.iter().map(|row| (row.text("tab").unwrap(), row.text("col").unwrap())).collect();
    let known = |table: &str, column: &str| {
        table.starts_with('_')
            || NEVER.contains(&column)
            || PEOPLE.contains(&(table, column))
            || EXCEPT.iter().any(|(tab, col, _)| (*tab, *col) == (table, column))
    };
    let forgotten: Vec<_> = found.iter().filter(|(table, column)| !known(table, column)).collect();
    assert!(
        forgotten.is_empty(),
        "what becomes of these when somebody is erased? see `places`: {forgotten:?}"
    );
    for (table, column) in PEOPLE {
        assert!(found.contains(&((*table).to_owned(), (*column).to_owned())), "there is no {table}.{column}");
    }
}

#[tokio::test]
async fn every_column_of_text_is_somebodys_or_said_to_be_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::lock(folder.path()).unwrap();
    is_complete(&SqliteStore::open(dir, &SqliteOptions::default()).await.unwrap(), SQLITE).await;
    is_complete(&TestDatabase::new().await.open().await, POSTGRES).await;
}

#[test]
fn an_id_that_is_drawn_tells_nothing_and_any_other_may() {
    let opaque = |id: &str| is_opaque(&UserId(id.into()));
    for id in [
        "u_0123456789abcdef0123456789abcdef",
        "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
        "a|b:9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d",
    ] {
        assert!(opaque(id), "{id}");
    }
    for id in ["ada", "ada@example.org", "u_ada", "", "0123"] {
        assert!(!opaque(id), "{id}");
    }
    let kept = Erasing::new(UserId("u_0123456789abcdef0123456789abcdef".into()), Fate::Private, 1);
    assert!(!kept.renames());
    let drawn = Erasing::new(UserId("ada".into()), Fate::Private, 1);
    assert!(drawn.renames() && is_opaque(&drawn.pseudonym) && !drawn.pseudonym.is_guest());
}
