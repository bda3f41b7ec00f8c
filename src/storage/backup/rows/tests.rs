use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::storage::postgres::tests::TestDatabase;
use crate::storage::{DataDir, SqliteOptions, SqliteStore};

const SQLITE: &str =
    "SELECT m.name AS tab, p.name AS col FROM sqlite_master AS m, pragma_table_info(m.name) AS p
    WHERE m.type = 'table'";
const POSTGRES: &str = "SELECT CAST(c.relname AS text) AS tab, CAST(a.attname AS text) AS col
    FROM pg_class AS c INNER JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = CAST(CAST(current_schema() AS text) AS regnamespace) AND c.relkind IN ('r', 'p')
        AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped";

/// Tables that are not in a backup as rows, and why.
const EXCEPT: &[(&str, &str)] = &[
    ("activity", "made of the log"),
    ("audit", "what this server has seen: a restored one has not"),
    ("audit_chains", "as the audit log"),
    ("clients", "made of the log"),
    ("contents", "made of the log"),
    ("documents", "a record of its own"),
    ("event_outbox", "what has still to be told; nobody is told of a restore"),
    ("events", "numbered by one database"),
    ("forks", "in the record of the document"),
    ("node_secret", "what servers know each other by: the first one makes it"),
    ("nodes", "servers that are running"),
    ("ops", "records of their own"),
    ("password_resets", "good for an hour"),
    ("pins", "what somebody has moved between servers that are running"),
    ("recent_batches", "part of the log"),
    ("repeats", "good for a day"),
    ("segments", "part of the log"),
    ("shards", "who owns what, in one database"),
    ("sign_ins", "one that has ended since would be good again"),
    ("signing_keys", "whoever has them is anybody; a server makes its own"),
    ("snapshots", "made of the log"),
    ("used_answers", "good for minutes"),
    ("watermarks", "positions of one database"),
    ("webhook_deliveries", "as webhooks"),
    ("webhooks", "a server that is tried out shall not call those who are called by the real one"),
];

fn tables() -> impl Iterator<Item = &'static Table> {
    OF_THE_SERVER.iter().chain(OF_THE_ERASED).chain(RIGHTS).chain([NAMES, COMMENTS])
}

async fn is_complete(database: &impl Tables, columns: &'static str) {
    let mut there: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in database.read(Statement::new(columns)).await.unwrap() {
        there.entry(row.text("tab").unwrap()).or_default().insert(row.text("col").unwrap());
    }
    for table in tables() {
        let mut known: BTreeSet<_> = table.columns.iter().map(|column| column.name.to_owned()).collect();
        known.extend(is_of_a_document(table).then(|| "doc_id".to_owned()));
        assert_eq!(there.get(table.name), Some(&known), "{}: is it whole in a backup?", table.name);
    }
    let known = |name: &str| {
        name.starts_with('_')
            || ["sqlite_", "words"].iter().any(|prefix| name.starts_with(prefix))
            || table(name).is_some()
            || EXCEPT.iter().any(|(table, _)| *table == name)
    };
    let forgotten: Vec<_> = there.keys().filter(|name| !known(name)).collect();
    assert!(forgotten.is_empty(), "are these in a backup? see `tables`: {forgotten:?}");
}

#[tokio::test]
async fn every_table_is_in_a_backup_with_all_its_columns_or_said_not_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::lock(folder.path()).unwrap();
    is_complete(&SqliteStore::open(dir, &SqliteOptions::default()).await.unwrap(), SQLITE).await;
    is_complete(&TestDatabase::new().await.open().await, POSTGRES).await;
}

#[test]
fn a_row_with_too_much_too_little_or_something_else_is_none() {
    let ban = json!({ "id": "b", "user_id": "ada", "reason": "spam", "made_by": "eve", "made_at": 7 });
    let told = |change: Json| {
        let mut row = ban.clone();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Json::Null => row.as_object_mut().unwrap().remove(name),
                value => row.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        serde_json::from_value::<Row>(row).unwrap().check(table("bans").unwrap())
    };
    assert_eq!(told(json!({})), Ok(()));
    assert_eq!(told(json!({ "user_id": null })), Ok(()));
    assert_eq!(told(json!({ "reason": null })), Err("lacks a column reason".to_owned()));
    assert_eq!(
        told(json!({ "made_at": "then" })),
        Err("has something else in column made_at than belongs there".to_owned())
    );
    assert_eq!(told(json!({ "mood": 1 })), Err("has a column mood, which bans have not".to_owned()));
}
