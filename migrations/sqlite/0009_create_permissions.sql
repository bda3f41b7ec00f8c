-- What a person may do with a document, beside what everybody may. The owner is in `documents`. `granted_by` is a user or
-- the server itself, and stays when that user goes.
CREATE TABLE permissions (
    doc_id TEXT NOT NULL REFERENCES documents (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'commenter', 'viewer')),
    granted_by TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (doc_id, user_id)
);

-- What one person may see.
CREATE INDEX permissions_by_user ON permissions (user_id, doc_id);
