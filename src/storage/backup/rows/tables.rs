//! Which tables a backup has beside documents and their logs, how they are read, and how they are written. A table or a column that is
//! neither here nor among the exceptions of the tests beside this fails these.

/// What a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    /// Base64 in a backup.
    Bytes,
    Uuid,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether it may be NULL; it is not in the backup then.
    pub may_lack: bool,
}

/// A table. Its statements take values in the order of `columns`; those of a document its id as $1, before them.
#[derive(Debug)]
pub struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// How many of the columns, from the first on, rows are ordered by.
    pub(super) key: usize,
    /// Reads rows after a key, as many as the last value says.
    pub(super) read: &'static str,
    /// Writes a row. One that belongs to what is not there, since it went or came while the backup was made, is left out.
    pub(super) write: &'static str,
}

impl Table {
    /// Returns its name, which it has in both databases and in a backup.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

const fn has(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, may_lack: false }
}

const fn may_have(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, may_lack: true }
}

use Kind::{Bytes, Flag, Number, Text, Uuid};

/// Accounts and groups, in an order in which they can be written.
pub const OF_THE_SERVER: &[Table] = &[
    Table {
        name: "users",
        columns: &[
            has("id", Text),
            has("issuer", Text),
            has("subject", Text),
            has("name", Text),
            may_have("email", Text),
            has("created_at", Number),
            has("seen_at", Number),
            may_have("disabled_at", Number),
            has("admin", Flag),
            has("may_create", Flag),
        ],
        key: 1,
        read: "SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT $2",
        write: "INSERT INTO users
            (id, issuer, subject, name, email, created_at, seen_at, disabled_at, admin, may_create)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    },
    Table {
        name: "credentials",
        columns: &[
            has("user_id", Text),
            has("password", Text),
            has("changed_at", Number),
            may_have("totp_secret", Bytes),
            may_have("totp_since", Number),
            has("totp_step", Number),
            may_have("address_proved_at", Number),
        ],
        key: 1,
        read: "SELECT * FROM credentials WHERE user_id > $1 ORDER BY user_id LIMIT $2",
        write: "INSERT INTO credentials
            (user_id, password, changed_at, totp_secret, totp_since, totp_step, address_proved_at)
            SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT 1 FROM users AS u WHERE u.id = $1)",
    },
    Table {
        name: "recovery_codes",
        columns: &[has("user_id", Text), has("hash", Bytes)],
        key: 2,
        read: "SELECT * FROM recovery_codes WHERE (user_id, hash) > ($1, $2) ORDER BY user_id, hash LIMIT $3",
        write: "INSERT INTO recovery_codes (user_id, hash)
            SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM users AS u WHERE u.id = $1)",
    },
    Table {
        name: "service_tokens",
        columns: &[
            has("id", Text),
            has("hash", Bytes),
            has("name", Text),
            has("owner", Text),
            has("scopes", Text),
            has("created_at", Number),
            may_have("expires_at", Number),
            may_have("used_at", Number),
            may_have("ended_at", Number),
        ],
        key: 1,
        read: "SELECT * FROM service_tokens WHERE id > $1 ORDER BY id LIMIT $2",
        write:
            "INSERT INTO service_tokens
            (id, hash, name, owner, scopes, created_at, expires_at, used_at, ended_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE EXISTS (SELECT 1 FROM users AS u WHERE u.id = $4)",
    },
    Table {
        name: "bans",
        columns: &[
            has("id", Text),
            may_have("user_id", Text),
            may_have("network", Text),
            has("reason", Text),
            has("made_by", Text),
            has("made_at", Number),
            may_have("expires_at", Number),
        ],
        key: 1,
        read: "SELECT * FROM bans WHERE id > $1 ORDER BY id LIMIT $2",
        write: "INSERT INTO bans (id, user_id, network, reason, made_by, made_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)",
    },
    Table {
        name: "quotas",
        columns: &[
            has("user_id", Text),
            has("documents", Number),
            has("set_by", Text),
            has("set_at", Number),
        ],
        key: 1,
        read: "SELECT * FROM quotas WHERE user_id > $1 ORDER BY user_id LIMIT $2",
        write: "INSERT INTO quotas (user_id, documents, set_by, set_at) VALUES ($1, $2, $3, $4)",
    },
    Table {
        name: "user_groups",
        columns: &[has("id", Text), has("name", Text), has("made_by", Text), has("made_at", Number)],
        key: 1,
        read: "SELECT * FROM user_groups WHERE id > $1 ORDER BY id LIMIT $2",
        write: "INSERT INTO user_groups (id, name, made_by, made_at) VALUES ($1, $2, $3, $4)",
    },
    Table {
        name: "group_members",
        columns: &[
            has("group_id", Text),
            has("user_id", Text),
            has("manager", Flag),
            has("added_by", Text),
            has("added_at", Number),
        ],
        key: 2,
        read: "SELECT * FROM group_members WHERE (group_id, user_id) > ($1, $2) ORDER BY group_id, user_id LIMIT $3",
        write: "INSERT INTO group_members (group_id, user_id, manager, added_by, added_at)
            SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM user_groups AS g WHERE g.id = $1)",
    },
];

/// Erasures that have begun and not ended: whoever starts on a restored database ends them. Read after everything else, so that one
/// which has begun meanwhile is known.
pub const OF_THE_ERASED: &[Table] = &[
    Table {
        name: "erasures",
        columns: &[
            has("user_id", Text),
            has("pseudonym", Text),
            has("documents", Text),
            has("begun_at", Number),
        ],
        key: 1,
        read: "SELECT * FROM erasures WHERE user_id > $1 ORDER BY user_id LIMIT $2",
        write: "INSERT INTO erasures (user_id, pseudonym, documents, begun_at) VALUES ($1, $2, $3, $4)",
    },
    Table {
        name: "erasure_documents",
        columns: &[has("user_id", Text), has("doc_id", Text)],
        key: 2,
        read: "SELECT * FROM erasure_documents WHERE (user_id, doc_id) > ($1, $2) ORDER BY user_id, doc_id LIMIT $3",
        write: "INSERT INTO erasure_documents (user_id, doc_id)
            SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM erasures AS e WHERE e.user_id = $1)",
    },
];

/// Who may do what with a document.
pub const RIGHTS: &[Table] = &[
    Table {
        name: "permissions",
        columns: &[
            has("kind", Text),
            has("subject", Text),
            has("role", Text),
            has("granted_by", Text),
            has("granted_at", Number),
            may_have("expires_at", Number),
        ],
        key: 2,
        read: "SELECT * FROM permissions WHERE doc_id = $1 AND (kind, subject) > ($2, $3)
            ORDER BY kind, subject LIMIT $4",
        write: "INSERT INTO permissions (doc_id, kind, subject, role, granted_by, granted_at, expires_at)
            SELECT $1, $2, $3, $4, $5, $6, $7
            WHERE $2 = 'user' OR EXISTS (SELECT 1 FROM user_groups AS g WHERE g.id = $3)",
    },
    Table {
        name: "share_links",
        columns: &[
            has("id", Text),
            has("hash", Bytes),
            has("role", Text),
            has("made_by", Text),
            has("made_at", Number),
            may_have("expires_at", Number),
            may_have("revoked_at", Number),
        ],
        key: 1,
        read: "SELECT * FROM share_links WHERE doc_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        write: "INSERT INTO share_links (doc_id, id, hash, role, made_by, made_at, expires_at, revoked_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    },
];

/// Versions of a document that have a name.
pub const NAMES: &Table = &Table {
    name: "named_versions",
    columns: &[
        has("version", Number),
        has("name", Text),
        has("user_id", Text),
        has("named_at", Number),
        has("made_at", Number),
    ],
    key: 1,
    read: "SELECT * FROM named_versions WHERE doc_id = $1 AND version > $2 ORDER BY version LIMIT $3",
    write: "INSERT INTO named_versions (doc_id, version, name, user_id, named_at, made_at)
        VALUES ($1, $2, $3, $4, $5, $6)",
};

/// Comments on a document, and the answers to them.
pub const COMMENTS: &Table = &Table {
    name: "comments",
    columns: &[
        has("id", Uuid),
        may_have("parent", Uuid),
        has("user_id", Text),
        has("created_at", Number),
        may_have("edited_at", Number),
        has("revision", Number),
        may_have("resolved_by", Text),
        may_have("resolved_at", Number),
        may_have("anchor_index", Number),
        may_have("anchor_length", Number),
        may_have("anchor_version", Number),
        has("text", Text),
    ],
    key: 1,
    read: "SELECT CAST(c.id AS text) AS id, CAST(c.parent AS text) AS parent, c.user_id, c.created_at, c.edited_at,
        c.revision, c.resolved_by, c.resolved_at, c.anchor_index, c.anchor_length, c.anchor_version, c.text
        FROM comments AS c WHERE c.doc_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3",
    write: "INSERT INTO comments (
            doc_id, id, parent, user_id, created_at, edited_at, revision, resolved_by, resolved_at,
            anchor_index, anchor_length, anchor_version, text
        )
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
        WHERE $3 IS NULL OR EXISTS (SELECT 1 FROM comments AS p WHERE p.doc_id = $1 AND p.id = $3)",
};

/// What writing the rows of a document has noted as if it had happened now: somebody is told of it who was told before.
pub(super) const TELL_NOBODY: &str =
    "DELETE FROM event_outbox WHERE doc_id = $1 AND kind IN ('document.shared', 'document.commented')";

/// Finds a table by its name.
pub fn table(name: &str) -> Option<&'static Table> {
    let lists =
        [OF_THE_SERVER, OF_THE_ERASED, RIGHTS, std::slice::from_ref(NAMES), std::slice::from_ref(COMMENTS)];
    lists.into_iter().flatten().find(|table| table.name == name)
}

/// Tells whether rows of a table belong to the document that they follow.
pub fn is_of_a_document(table: &Table) -> bool {
    [NAMES.name, COMMENTS.name].contains(&table.name) || is_a_right(table)
}

/// Tells whether rows of a table say who may do what.
pub fn is_a_right(table: &Table) -> bool {
    RIGHTS.iter().any(|right| right.name == table.name)
}
