-- Who may do what. The table from before was never written to, and wanted users that this server had seen: an application which
-- brings its own users gives them documents before they have ever come.
DROP TABLE permissions;

-- What whoever has the address may do; so far that was to edit. `access_changes` counts changes of what anybody may do: what
-- was read under another number is to be read again.
ALTER TABLE documents ADD COLUMN link_role TEXT NOT NULL DEFAULT 'editor'
CHECK (link_role IN ('none', 'viewer', 'commenter', 'editor'));
ALTER TABLE documents ADD COLUMN access_changes BIGINT NOT NULL DEFAULT 0;

-- One person's documents, recent first.
CREATE INDEX documents_by_owner ON documents (owner, updated_at DESC, id DESC) WHERE purged_at IS NULL;

-- What a person or a group may do with a document, beside what everybody may. The owner is in `documents`. `subject` is the id
-- of a user or of a group; `granted_by` stays when that user goes.
CREATE TABLE permissions (
    doc_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'group')),
    subject TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'commenter', 'viewer')),
    granted_by TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (doc_id, kind, subject)
);

-- What one person or group may see.
CREATE INDEX permissions_by_subject ON permissions (kind, subject, doc_id);

-- Whoever presents the token has the role. Of the token there is only the SHA-256: it is as random as that is long.
CREATE TABLE share_links (
    id TEXT NOT NULL PRIMARY KEY,
    doc_id TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('editor', 'commenter', 'viewer')),
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE INDEX share_links_by_document ON share_links (doc_id, id);

-- People who are given documents together.
CREATE TABLE user_groups (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL
);

-- Managers say who is in it.
CREATE TABLE group_members (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    manager BOOLEAN NOT NULL,
    added_by TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX group_members_by_user ON group_members (user_id, group_id);
