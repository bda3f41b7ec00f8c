//! Statements that both databases take as they are.

/// Locks the document's row, where there are locks, so that changes of one document follow each other.
pub const COUNT_CHANGE: &str =
    "UPDATE documents SET access_changes = access_changes + 1 WHERE id = $1 AND purged_at IS NULL";

pub const READ_GROUND: &str =
    "SELECT owner, link_role, access_changes FROM documents WHERE id = $1 AND purged_at IS NULL";

pub const LIST_GRANTS: &str =
    "SELECT kind, subject, role, granted_by, granted_at, expires_at FROM permissions
    WHERE doc_id = $1 AND (kind, subject) > ($2, $3) AND (expires_at IS NULL OR expires_at > $4)
    ORDER BY kind, subject LIMIT $5";

pub const FORGET_ENDED: &str = "DELETE FROM permissions WHERE doc_id = $1 AND expires_at <= $2";

pub const COUNT_OTHERS: &str =
    "SELECT count(*) FROM permissions WHERE doc_id = $1 AND NOT (kind = $2 AND subject = $3)";

pub const GRANT: &str =
    "INSERT INTO permissions (doc_id, kind, subject, role, granted_by, granted_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (doc_id, kind, subject) DO UPDATE SET
        role = excluded.role, granted_by = excluded.granted_by,
        granted_at = excluded.granted_at, expires_at = excluded.expires_at";

pub const REVOKE: &str = "DELETE FROM permissions WHERE doc_id = $1 AND kind = $2 AND subject = $3";

pub const SET_LINK: &str = "UPDATE documents SET link_role = $2, access_changes = access_changes + 1
    WHERE id = $1 AND purged_at IS NULL";

pub const TRANSFER: &str = "UPDATE documents SET owner = $3, access_changes = access_changes + 1
    WHERE id = $1 AND owner = $2 AND purged_at IS NULL";

pub const COUNT_LINKS: &str = "SELECT count(*) FROM share_links
    WHERE doc_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";

/// Of those that have ended the newest are kept, to be looked at.
pub const FORGET_ENDED_LINKS: &str = "DELETE FROM share_links
    WHERE doc_id = $1 AND (revoked_at IS NOT NULL OR expires_at <= $2) AND id NOT IN (
        SELECT id FROM share_links WHERE doc_id = $1 AND (revoked_at IS NOT NULL OR expires_at <= $2)
        ORDER BY made_at DESC, id DESC LIMIT $3
    )";

pub const ADD_LINK: &str = "INSERT INTO share_links (id, doc_id, hash, role, made_by, made_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub const LIST_LINKS: &str = "SELECT id, role, made_by, made_at, expires_at, revoked_at FROM share_links
    WHERE doc_id = $1 AND id > $2 ORDER BY id LIMIT $3";

pub const REVOKE_LINK: &str =
    "UPDATE share_links SET revoked_at = $3 WHERE doc_id = $1 AND id = $2 AND revoked_at IS NULL";

pub const CREATE_GROUP: &str = "INSERT INTO user_groups (id, name, made_by, made_at) VALUES ($1, $2, $3, $4)";

pub const READ_GROUP: &str = "SELECT id, name, made_by, made_at FROM user_groups WHERE id = $1";

pub const LIST_MEMBERS: &str =
    "SELECT user_id, manager, added_by, added_at FROM group_members WHERE group_id = $1 ORDER BY user_id";

pub const LIST_GROUPS: &str = "SELECT g.id, g.name, g.made_by, g.made_at, m.manager
    FROM group_members AS m INNER JOIN user_groups AS g ON g.id = m.group_id
    WHERE m.user_id = $1 AND m.group_id > $2 ORDER BY m.group_id LIMIT $3";

pub const RENAME_GROUP: &str = "UPDATE user_groups SET name = $2 WHERE id = $1";

/// In this order: whoever manages a group does so as long as they are in it.
pub const DELETE_GROUP: [&str; 3] = [
    "DELETE FROM permissions WHERE kind = 'group' AND subject = $1",
    "DELETE FROM user_groups WHERE id = $1",
    "DELETE FROM group_members WHERE group_id = $1",
];

pub const IS_MEMBER: &str =
    "SELECT EXISTS (SELECT 1 FROM group_members WHERE group_id = $1 AND user_id = $2)";

pub const COUNT_OTHER_MEMBERS: &str =
    "SELECT count(*) FROM group_members WHERE group_id = $1 AND user_id <> $2";

/// Those that the user has made, if this one is among them: nobody is asked before they are taken into one.
pub const COUNT_OTHER_GROUPS: &str =
    "SELECT count(*) FROM user_groups AS g WHERE g.made_by = $1 AND g.id <> $2
        AND EXISTS (SELECT 1 FROM user_groups AS made WHERE made.id = $2 AND made.made_by = $1)";

pub const COUNT_OTHER_MANAGERS: &str =
    "SELECT count(*) FROM group_members WHERE group_id = $1 AND user_id <> $2 AND manager";

pub const SET_MEMBER: &str = "INSERT INTO group_members (group_id, user_id, manager, added_by, added_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (group_id, user_id) DO UPDATE SET manager = excluded.manager";

pub const REMOVE_MEMBER: &str = "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2";
