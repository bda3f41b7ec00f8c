//! Where people are: what is read of them, and what is done with it when they go. A column of text that is neither here nor among the
//! exceptions of the tests beside this fails these.

/// How a column is given out.
pub(super) enum Shown {
    Text(&'static str),
    Number(&'static str),
    Flag(&'static str),
}

use Shown::{Flag, Number, Text};

/// Rows that are given out.
pub(super) struct Given {
    pub table: &'static str,
    /// Reads them of a person ($1).
    pub sql: &'static str,
    /// What is given out of a row. Secrets and hashes of them are not.
    pub shown: &'static [Shown],
}

/// A person's own rows, and what they have written beside text.
pub(super) const GIVEN: &[Given] = &[
    Given {
        table: "credentials",
        sql: "SELECT * FROM credentials WHERE user_id = $1",
        shown: &[Number("changed_at"), Number("totp_since")],
    },
    Given {
        table: "sign_ins",
        sql: "SELECT * FROM sign_ins WHERE user_id = $1 ORDER BY created_at, id",
        shown: &[
            Text("user_agent"),
            Number("created_at"),
            Number("used_at"),
            Number("expires_at"),
            Number("ended_at"),
        ],
    },
    Given {
        table: "service_tokens",
        sql: "SELECT * FROM service_tokens WHERE owner = $1 ORDER BY created_at, id",
        shown: &[
            Text("id"),
            Text("name"),
            Text("scopes"),
            Number("created_at"),
            Number("expires_at"),
            Number("used_at"),
            Number("ended_at"),
        ],
    },
    Given {
        table: "webhooks",
        sql: "SELECT * FROM webhooks WHERE owner = $1 ORDER BY made_at, id",
        shown: &[Text("id"), Text("url"), Text("kinds"), Flag("enabled"), Number("made_at")],
    },
    Given {
        table: "group_members",
        sql: "SELECT CAST(group_id AS text) AS group_id, manager, added_by, added_at FROM group_members WHERE user_id = $1
        ORDER BY group_id",
        shown: &[Text("group_id"), Flag("manager"), Text("added_by"), Number("added_at")],
    },
    Given {
        table: "permissions",
        sql: "SELECT * FROM permissions WHERE kind = 'user' AND subject = $1 ORDER BY doc_id",
        shown: &[Text("doc_id"), Text("role"), Text("granted_by"), Number("granted_at"), Number("expires_at")],
    },
    Given {
        table: "users",
        sql: "SELECT * FROM users WHERE id = $1",
        shown: &[
            Text("id"),
            Text("issuer"),
            Text("subject"),
            Text("name"),
            Text("email"),
            Number("created_at"),
            Number("seen_at"),
            Number("disabled_at"),
        ],
    },
    Given {
        table: "comments",
        sql: "SELECT doc_id, CAST(id AS text) AS id, created_at, text FROM comments WHERE user_id = $1 ORDER BY doc_id, id",
        shown: &[Text("doc_id"), Text("id"), Number("created_at"), Text("text")],
    },
    Given {
        table: "named_versions",
        sql: "SELECT * FROM named_versions WHERE user_id = $1 ORDER BY doc_id, version",
        shown: &[Text("doc_id"), Number("version"), Text("name"), Number("named_at")],
    },
];

/// Statements that remove a person's ($1) own rows, in an order in which that can be done. Each returns what it removes.
pub(super) const REMOVED: &[&str] = &[
    "DELETE FROM recovery_codes WHERE user_id = $1 RETURNING 1 AS gone",
    "DELETE FROM password_resets WHERE user_id = $1 RETURNING 1 AS gone",
    "DELETE FROM credentials WHERE user_id = $1 RETURNING 1 AS gone",
    "DELETE FROM repeats WHERE user_id = $1 RETURNING 1 AS gone",
    "DELETE FROM webhooks WHERE owner = $1 RETURNING 1 AS gone",
    "DELETE FROM quotas WHERE user_id = $1 RETURNING 1 AS gone",
    "DELETE FROM group_members WHERE user_id = $1 RETURNING 1 AS gone",
    "DELETE FROM permissions WHERE kind = 'user' AND subject = $1 RETURNING 1 AS gone",
];

/// Statements that put the noted other id in the place of $1 at once: nobody has any of this in memory.
pub(super) const RENAMED: &[&str] = &[
    "UPDATE documents SET owner = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE owner = $1",
    "UPDATE permissions SET granted_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1)
    WHERE granted_by = $1",
    "UPDATE share_links SET made_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE made_by = $1",
    "UPDATE user_groups SET made_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE made_by = $1",
    "UPDATE group_members SET added_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1)
    WHERE added_by = $1",
    "UPDATE comments SET user_id = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE user_id = $1",
    "UPDATE comments SET resolved_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1)
    WHERE resolved_by = $1",
    "UPDATE named_versions SET user_id = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1)
    WHERE user_id = $1",
    "UPDATE webhooks SET made_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE made_by = $1",
    "UPDATE webhook_deliveries SET by_user = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE by_user = $1",
    "UPDATE event_outbox SET owner = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE owner = $1",
    "UPDATE event_outbox SET by_user = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE by_user = $1",
    "UPDATE events SET owner = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE owner = $1",
    "UPDATE events SET by_user = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE by_user = $1",
    "UPDATE bans SET made_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE made_by = $1",
    "UPDATE quotas SET set_by = (SELECT e.pseudonym FROM erasures AS e WHERE e.user_id = $1) WHERE set_by = $1",
];

/// Statements that put $2 in the place of $1 in the log of document $3 of shard $4, as far as it was made until $5. The last one
/// returns what it changes: a document counts as somebody's as long as a client is theirs.
pub(super) const RENAMED_IN_LOG: &[&str] = &[
    "UPDATE activity SET user_id = $2 WHERE user_id = $1 AND doc_id = $3 AND shard = $4 AND hour <= $5",
    "UPDATE ops SET user_id = $2 WHERE user_id = $1 AND doc_id = $3 AND shard = $4 AND at <= $5",
    // One that has written since is of whoever has come back.
    "UPDATE clients SET user_id = $2 WHERE user_id = $1 AND doc_id = $3 AND shard = $4 AND last_version < COALESCE(
        (SELECT MIN(o.version) FROM ops AS o WHERE o.doc_id = $3 AND o.shard = $4 AND o.at > $5), 9223372036854775807
    ) RETURNING 1 AS renamed",
];

/// The columns that these statements are about.
#[cfg(test)]
pub(super) const PEOPLE: &[(&str, &str)] = &[
    ("activity", "user_id"),
    ("bans", "made_by"),
    ("clients", "user_id"),
    ("comments", "resolved_by"),
    ("comments", "user_id"),
    ("credentials", "user_id"),
    ("documents", "owner"),
    ("event_outbox", "by_user"),
    ("event_outbox", "owner"),
    ("events", "by_user"),
    ("events", "owner"),
    ("group_members", "added_by"),
    ("group_members", "user_id"),
    ("named_versions", "user_id"),
    ("ops", "user_id"),
    ("password_resets", "user_id"),
    ("permissions", "granted_by"),
    ("permissions", "subject"),
    ("quotas", "set_by"),
    ("quotas", "user_id"),
    ("recovery_codes", "user_id"),
    ("repeats", "user_id"),
    ("service_tokens", "name"),
    ("service_tokens", "owner"),
    ("share_links", "made_by"),
    ("sign_ins", "user_agent"),
    ("sign_ins", "user_id"),
    ("user_groups", "made_by"),
    ("users", "email"),
    ("users", "id"),
    ("users", "name"),
    ("users", "subject"),
    ("webhook_deliveries", "by_user"),
    ("webhooks", "made_by"),
    ("webhooks", "owner"),
];
