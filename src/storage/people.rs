//! What is kept of one person: given out, and taken away.
//!
//! Everywhere but in `users` a person is an id. One that the server made says nothing, and stays in documents' logs when the
//! person goes; one that comes from elsewhere may be a name, and is replaced.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::StoreError;
use crate::ids::{DocumentId, Millis, UserId};

/// A table with rows of one person's own: they are given out, and go with the person.
struct Own {
    table: &'static str,
    /// Whose it is.
    column: &'static str,
    /// What else a row has to be.
    and: &'static str,
    /// What is given out of a row. Secrets and hashes of them are not.
    shown: &'static [&'static str],
}

/// In an order in which they can be removed.
const OWN: &[Own] = &[
    Own { table: "recovery_codes", column: "user_id", and: "", shown: &[] },
    Own { table: "password_resets", column: "user_id", and: "", shown: &[] },
    Own { table: "repeats", column: "user_id", and: "", shown: &[] },
    Own { table: "credentials", column: "user_id", and: "", shown: &["changed_at", "totp_since"] },
    Own {
        table: "sign_ins",
        column: "user_id",
        and: "",
        shown: &["user_agent", "created_at", "used_at", "expires_at", "ended_at"],
    },
    Own {
        table: "service_tokens",
        column: "owner",
        and: "",
        shown: &["id", "name", "scopes", "created_at", "expires_at", "used_at", "ended_at"],
    },
    Own { table: "webhooks", column: "owner", and: "", shown: &["id", "url", "kinds", "enabled", "made_at"] },
    Own {
        table: "group_members",
        column: "user_id",
        and: "",
        shown: &["group_id", "manager", "added_by", "added_at"],
    },
    Own {
        table: "permissions",
        column: "subject",
        and: " AND kind = 'user'",
        shown: &["doc_id", "role", "granted_by", "granted_at"],
    },
    Own {
        table: "permissions",
        column: "user_id",
        and: "",
        shown: &["doc_id", "role", "granted_by", "granted_at"],
    },
    Own {
        table: "users",
        column: "id",
        and: "",
        shown: &["id", "issuer", "subject", "name", "email", "created_at", "seen_at", "disabled_at"],
    },
];

/// Tables with what a person has written beside text: given out, and kept under another id.
const WRITTEN: &[Own] = &[
    Own { table: "comments", column: "user_id", and: "", shown: &["doc_id", "id", "created_at", "text"] },
    Own {
        table: "named_versions",
        column: "user_id",
        and: "",
        shown: &["doc_id", "version", "name", "named_at"],
    },
];

/// Where else a person is named, by document: in `doc_id`, and behind a shard where the table has one.
const NAMED_IN_DOCUMENTS: &[(&str, &str, bool)] = &[
    ("ops", "user_id", true),
    ("clients", "user_id", true),
    ("activity", "user_id", true),
    ("comments", "user_id", false),
    ("comments", "resolved_by", false),
    ("named_versions", "user_id", false),
    ("permissions", "granted_by", false),
    ("share_links", "made_by", false),
];

/// … and anywhere.
const NAMED: &[(&str, &str)] = &[
    ("documents", "owner"),
    ("permissions", "granted_by"),
    ("share_links", "made_by"),
    ("user_groups", "made_by"),
    ("group_members", "added_by"),
    ("webhooks", "made_by"),
    ("webhook_deliveries", "by_user"),
    ("event_outbox", "owner"),
    ("event_outbox", "by_user"),
    ("events", "owner"),
    ("events", "by_user"),
];

/// Which of a person's documents go with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Those that are shared with nobody; the others stay under another id.
    Private,
    /// All that they own.
    Owned,
}

impl Fate {
    /// Returns it as the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Owned => "owned",
        }
    }

    /// Reads what the database has; what it cannot have is the lesser one.
    pub(super) fn read(text: &str) -> Self {
        if text == "owned" { Self::Owned } else { Self::Private }
    }
}

/// Somebody who is being erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasing {
    pub user: UserId,
    /// The id that takes its place; the same one where the old one says nothing.
    pub pseudonym: UserId,
    pub fate: Fate,
    pub begun_at: Millis,
}

impl Erasing {
    /// Draws another id, unless the user's own tells nothing of anybody.
    pub fn new(user: UserId, fate: Fate, begun_at: Millis) -> Self {
        let drawn = || UserId(format!("erased_{}", uuid::Uuid::new_v4().simple()).into());
        let pseudonym = if is_opaque(&user) { user.clone() } else { drawn() };
        Self { user, pseudonym, fate, begun_at }
    }

    /// Tells whether the id has to be replaced.
    pub fn renames(&self) -> bool {
        self.user != self.pseudonym
    }
}

/// Tells whether an id is a UUID behind some prefix, such as `u_`: nobody can be told by it.
pub fn is_opaque(user: &UserId) -> bool {
    let tail = user.0.rsplit(['_', ':', '|']).next().unwrap_or_default();
    uuid::Uuid::try_parse(tail).is_ok()
}

/// A document that a person owns or has written into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonsDocument {
    pub doc: DocumentId,
    pub owns: bool,
    /// Whether anybody else may see it.
    pub shared: bool,
}

/// What a person has written into a document, as far as it is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Share {
    pub operations: u64,
    /// Bytes of the deltas as JSON.
    pub bytes: u64,
}

/// Rows about people, wherever they are.
#[async_trait]
pub trait People: Send + Sync {
    /// Reads a person's own rows, and what they have written beside text, by table; tables without any are left out.
    async fn person(&self, user: &UserId) -> Result<Map<String, Value>, StoreError>;

    /// Lists the documents that a person owns or has written into after `after`, in order of id, at most `limit`.
    async fn documents_of(
        &self,
        user: &UserId,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<PersonsDocument>, StoreError>;

    /// Counts what a person has written into a document.
    async fn share_of(&self, user: &UserId, doc: &DocumentId) -> Result<Share, StoreError>;

    /// Notes that somebody is to be erased, and returns what is noted: of one who is being erased already what was noted first.
    async fn begin_erasure(&self, erasing: &Erasing) -> Result<Erasing, StoreError>;

    /// Returns who is being erased.
    async fn erasures(&self) -> Result<Vec<Erasing>, StoreError>;

    /// Removes a person's own rows, in one transaction; returns how many.
    async fn forget_person(&self, user: &UserId) -> Result<u64, StoreError>;

    /// Puts one id in the place of another in all that is kept of a document in the database, in one transaction; returns in how
    /// many rows. No server may have the document in memory.
    async fn rename_in(&self, doc: &DocumentId, from: &UserId, to: &UserId) -> Result<u64, StoreError>;

    /// The same wherever there is no document.
    async fn rename_elsewhere(&self, from: &UserId, to: &UserId) -> Result<u64, StoreError>;

    /// Forgets that somebody was being erased.
    async fn end_erasure(&self, user: &UserId) -> Result<(), StoreError>;
}

/// As it is shared.
pub type SharedPeople = Arc<dyn People>;

/// The columns that a database has: these statements go by what is there.
pub(super) struct Columns(HashSet<(String, String)>);

impl FromIterator<(String, String)> for Columns {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(columns: T) -> Self {
        Self(columns.into_iter().collect())
    }
}

impl Columns {
    fn have(&self, table: &str, column: &str) -> bool {
        self.0.contains(&(table.to_owned(), column.to_owned()))
    }

    fn own(&self) -> impl Iterator<Item = &'static Own> {
        OWN.iter().filter(|own| self.have(own.table, own.column))
    }

    /// Statements that read a person ($1), each with its table: a row has one column, an object in JSON made by `object`.
    pub(super) fn read(&self, object: &str) -> Vec<(&'static str, String)> {
        let written = WRITTEN.iter().filter(|own| self.have(own.table, own.column));
        let shown = self.own().chain(written).filter(|own| !own.shown.is_empty());
        let statement = |own: &'static Own| {
            let fields = own.shown.iter().filter(|field| self.have(own.table, field));
            let fields: Vec<_> = fields.map(|field| format!("'{field}', {field}")).collect();
            let Own { table, column, and, .. } = own;
            let sql = format!(
                "SELECT CAST({object}({}) AS TEXT) AS shown FROM {table} WHERE {column} = $1{and}",
                fields.join(", ")
            );
            (own.table, sql)
        };
        shown.map(statement).collect()
    }

    /// Statements that remove a person ($1).
    pub(super) fn forget(&self) -> Vec<String> {
        let statement = |own: &Own| format!("DELETE FROM {} WHERE {} = $1{}", own.table, own.column, own.and);
        self.own().map(statement).collect()
    }

    /// Statements that put $2 in the place of $1 in document $3, of shard $4 where they have one.
    pub(super) fn rename_in(&self) -> Vec<(String, bool)> {
        let there = NAMED_IN_DOCUMENTS.iter().filter(|(table, column, _)| self.have(table, column));
        let statement = |(table, column, sharded): &(&str, &str, bool)| {
            let shard = if *sharded { " AND shard = $4" } else { "" };
            let sql = format!("UPDATE {table} SET {column} = $2 WHERE {column} = $1 AND doc_id = $3{shard}");
            (sql, *sharded)
        };
        there.map(statement).collect()
    }

    /// Statements that put $2 in the place of $1 anywhere.
    pub(super) fn rename_elsewhere(&self) -> Vec<String> {
        let there = NAMED.iter().filter(|(table, column)| self.have(table, column));
        there.map(|(table, column)| format!("UPDATE {table} SET {column} = $2 WHERE {column} = $1")).collect()
    }

    /// The statement that lists the documents of $1 after $2, at most $3.
    pub(super) fn documents(&self) -> String {
        // Where nothing else is known whoever has the address may see it.
        let mut shared = vec!["d.link_role <> 'none'".to_owned()];
        if !self.have("documents", "link_role") {
            shared = vec!["1 = 1".to_owned()];
        }
        if self.have("permissions", "subject") {
            shared.push(
                "EXISTS (SELECT 1 FROM permissions AS p WHERE p.doc_id = d.id AND p.subject <> $1)"
                    .to_owned(),
            );
        }
        if self.have("share_links", "doc_id") {
            shared.push(
                "EXISTS (SELECT 1 FROM share_links AS l WHERE l.doc_id = d.id AND l.revoked_at IS NULL)"
                    .to_owned(),
            );
        }
        format!(
            "SELECT d.id AS id,
                CAST(CASE WHEN d.owner = $1 THEN 1 ELSE 0 END AS BIGINT) AS owns,
                CAST(CASE WHEN {} THEN 1 ELSE 0 END AS BIGINT) AS shared
            FROM documents AS d
            WHERE d.purged_at IS NULL AND d.id > $2 AND (d.owner = $1 OR EXISTS (
                SELECT 1 FROM clients AS c WHERE c.shard = d.shard AND c.doc_id = d.id AND c.user_id = $1))
            ORDER BY d.id LIMIT $3",
            shared.join(" OR ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
