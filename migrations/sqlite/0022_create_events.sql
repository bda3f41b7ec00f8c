-- What has happened to documents, for those who want to be told. Triggers put it into `event_outbox` in the transaction in which it
-- happens, whoever writes there, and by no statement of an edit: a change of text is noted where the content that is made of
-- the log is written. From there a server gives it a number, in `events`, one after the other in the order of commits: whoever
-- has read up to a number misses nothing below it.
--
-- `owner` is the document's owner then. `by_user` is who has done it, where that is known. `data` is JSON and names nobody.
CREATE TABLE event_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    since BIGINT,
    version BIGINT,
    kind TEXT NOT NULL,
    doc_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    by_user TEXT,
    data TEXT NOT NULL
);

CREATE TABLE events (
    n BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    doc_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    by_user TEXT,
    data TEXT NOT NULL
);

CREATE INDEX events_by_time ON events (at);

CREATE TRIGGER event_created AFTER INSERT ON documents BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.created', new.id, new.owner, new.owner, '{}');
END;

CREATE TRIGGER event_trashed AFTER UPDATE OF deleted_at ON documents
WHEN new.purged_at IS NULL AND (old.deleted_at IS NULL) <> (new.deleted_at IS NULL) BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, data)
    VALUES (
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER),
        CASE WHEN new.deleted_at IS NULL THEN 'document.restored' ELSE 'document.trashed' END,
        new.id, new.owner, '{}'
    );
END;

-- What has still to be told of the text of a document is told of nothing then.
CREATE TRIGGER event_purged AFTER UPDATE OF purged_at ON documents
WHEN old.purged_at IS NULL AND new.purged_at IS NOT NULL BEGIN
    DELETE FROM event_outbox WHERE doc_id = old.id AND kind = 'document.changed';
    INSERT INTO event_outbox (at, kind, doc_id, owner, data)
    VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.purged', old.id, old.owner, '{}');
END;

CREATE TRIGGER event_owner AFTER UPDATE OF owner ON documents
WHEN new.purged_at IS NULL AND old.owner <> new.owner BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, data)
    VALUES (
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.shared', new.id, new.owner, '{"change":"owner"}'
    );
END;

CREATE TRIGGER event_link AFTER UPDATE OF link_role ON documents
WHEN new.purged_at IS NULL AND old.link_role <> new.link_role BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, data)
    VALUES (
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.shared', new.id, new.owner,
        '{"change":"link","role":"' || new.link_role || '"}'
    );
END;

CREATE TRIGGER event_granted AFTER INSERT ON permissions BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.shared', d.id, d.owner, new.granted_by,
        '{"change":"grant","role":"' || new.role || '"}'
    FROM documents AS d WHERE d.id = new.doc_id AND d.purged_at IS NULL;
END;

CREATE TRIGGER event_regranted AFTER UPDATE OF role, expires_at ON permissions
WHEN old.role <> new.role OR old.expires_at IS NOT new.expires_at BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.shared', d.id, d.owner, new.granted_by,
        '{"change":"grant","role":"' || new.role || '"}'
    FROM documents AS d WHERE d.id = new.doc_id AND d.purged_at IS NULL;
END;

CREATE TRIGGER event_revoked AFTER DELETE ON permissions BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.shared', d.id, d.owner, '{"change":"revoke"}'
    FROM documents AS d WHERE d.id = old.doc_id AND d.purged_at IS NULL;
END;

CREATE TRIGGER event_share_link AFTER INSERT ON share_links BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.shared', d.id, d.owner, new.made_by,
        '{"change":"share_link","role":"' || new.role || '"}'
    FROM documents AS d WHERE d.id = new.doc_id AND d.purged_at IS NULL;
END;

CREATE TRIGGER event_share_link_revoked AFTER UPDATE OF revoked_at ON share_links
WHEN old.revoked_at IS NULL AND new.revoked_at IS NOT NULL BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.shared', d.id, d.owner,
        '{"change":"share_link_revoke"}'
    FROM documents AS d WHERE d.id = new.doc_id AND d.purged_at IS NULL;
END;

CREATE TRIGGER event_commented AFTER INSERT ON comments BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 'document.commented', d.id, d.owner, new.user_id,
        CASE
            WHEN new.parent IS NULL THEN '{"comment":"' || new.id || '"}'
            ELSE '{"comment":"' || new.id || '","parent":"' || new.parent || '"}'
        END
    FROM documents AS d WHERE d.id = new.doc_id;
END;

CREATE TRIGGER event_written AFTER INSERT ON contents WHEN new.version > 0 BEGIN
    INSERT INTO event_outbox (at, since, version, kind, doc_id, owner, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 0, new.version, 'document.changed', d.id, d.owner, '{}'
    FROM documents AS d WHERE d.id = new.doc_id;
END;

CREATE TRIGGER event_changed AFTER UPDATE OF version, history ON contents
WHEN old.version <> new.version OR old.history <> new.history BEGIN
    INSERT INTO event_outbox (at, since, version, kind, doc_id, owner, data)
    SELECT
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), MIN(old.version, new.version), new.version,
        'document.changed', d.id, d.owner, '{}'
    FROM documents AS d WHERE d.id = new.doc_id;
END;
