-- What has happened to documents, for those who want to be told. Triggers put it into `event_outbox` in the transaction in which it
-- happens, whoever writes there, and by no statement of an edit: a change of text is noted where the content that is made of
-- the log is written. From there a server gives it a number, in `events`, one after the other in the order of commits: whoever
-- has read up to a number misses nothing below it.
--
-- `owner` is the document's owner then. `by_user` is who has done it, where that is known. `data` is JSON and names nobody.
CREATE TABLE event_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    since bigint,
    version bigint,
    kind text COLLATE "C" NOT NULL,
    doc_id text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    by_user text COLLATE "C",
    data text NOT NULL
);

CREATE TABLE events (
    n bigint NOT NULL PRIMARY KEY,
    at bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    doc_id text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    by_user text COLLATE "C",
    data text NOT NULL
);

CREATE INDEX events_by_time ON events (at);

-- Milliseconds since the Unix epoch, of now and not of the transaction's beginning.
CREATE FUNCTION event_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT floor(extract(EPOCH FROM clock_timestamp()) * 1000)::bigint
$$;

CREATE FUNCTION note_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    VALUES (event_now(), 'document.created', NEW.id, NEW.owner, NEW.owner, '{}');
    RETURN NULL;
END;
$$;

CREATE TRIGGER event_created AFTER INSERT ON documents
FOR EACH ROW EXECUTE FUNCTION note_created();

CREATE FUNCTION note_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.purged_at IS NOT NULL THEN
        IF OLD.purged_at IS NULL THEN
            -- What has still to be told of the text of a document is told of nothing then.
            DELETE FROM event_outbox WHERE doc_id = OLD.id AND kind = 'document.changed';
            INSERT INTO event_outbox (at, kind, doc_id, owner, data)
            VALUES (event_now(), 'document.purged', OLD.id, OLD.owner, '{}');
        END IF;
        RETURN NULL;
    END IF;
    IF (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL) THEN
        INSERT INTO event_outbox (at, kind, doc_id, owner, data)
        VALUES (
            event_now(),
            CASE WHEN NEW.deleted_at IS NULL THEN 'document.restored' ELSE 'document.trashed' END,
            NEW.id, NEW.owner, '{}'
        );
    END IF;
    IF OLD.owner <> NEW.owner THEN
        INSERT INTO event_outbox (at, kind, doc_id, owner, data)
        VALUES (event_now(), 'document.shared', NEW.id, NEW.owner, '{"change":"owner"}');
    END IF;
    IF OLD.link_role <> NEW.link_role THEN
        INSERT INTO event_outbox (at, kind, doc_id, owner, data)
        VALUES (
            event_now(), 'document.shared', NEW.id, NEW.owner,
            '{"change":"link","role":"' || NEW.link_role || '"}'
        );
    END IF;
    RETURN NULL;
END;
$$;

-- Only for what names one of these columns: no edit does.
CREATE TRIGGER event_document AFTER UPDATE OF deleted_at, purged_at, owner, link_role ON documents
FOR EACH ROW EXECUTE FUNCTION note_document();

-- Beside a document that is there. What a purge removes is told by the purge.
CREATE FUNCTION note_shared(doc text, by_whom text, what text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    SELECT event_now(), 'document.shared', d.id, d.owner, by_whom, what
    FROM documents AS d WHERE d.id = doc AND d.purged_at IS NULL
$$;

CREATE FUNCTION note_permission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM note_shared(OLD.doc_id, NULL, '{"change":"revoke"}');
    ELSIF TG_OP = 'INSERT' OR OLD.role <> NEW.role OR OLD.expires_at IS DISTINCT FROM NEW.expires_at THEN
        PERFORM note_shared(NEW.doc_id, NEW.granted_by, '{"change":"grant","role":"' || NEW.role || '"}');
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER event_permission AFTER INSERT OR DELETE OR UPDATE OF role, expires_at ON permissions
FOR EACH ROW EXECUTE FUNCTION note_permission();

CREATE FUNCTION note_share_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM note_shared(NEW.doc_id, NEW.made_by, '{"change":"share_link","role":"' || NEW.role || '"}');
    ELSIF OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN
        PERFORM note_shared(NEW.doc_id, NULL, '{"change":"share_link_revoke"}');
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER event_share_link AFTER INSERT OR UPDATE OF revoked_at ON share_links
FOR EACH ROW EXECUTE FUNCTION note_share_link();

CREATE FUNCTION note_commented() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_outbox (at, kind, doc_id, owner, by_user, data)
    SELECT
        event_now(), 'document.commented', d.id, d.owner, NEW.user_id,
        CASE
            WHEN NEW.parent IS NULL THEN '{"comment":"' || NEW.id || '"}'
            ELSE '{"comment":"' || NEW.id || '","parent":"' || NEW.parent || '"}'
        END
    FROM documents AS d WHERE d.id = NEW.doc_id;
    RETURN NULL;
END;
$$;

CREATE TRIGGER event_commented AFTER INSERT ON comments
FOR EACH ROW EXECUTE FUNCTION note_commented();

CREATE FUNCTION note_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version > 0 AND (
        TG_OP = 'INSERT' OR OLD.version <> NEW.version OR OLD.history <> NEW.history
    ) THEN
        INSERT INTO event_outbox (at, since, version, kind, doc_id, owner, data)
        SELECT
            event_now(),
            CASE WHEN TG_OP = 'INSERT' THEN 0 ELSE least(OLD.version, NEW.version) END,
            NEW.version, 'document.changed', d.id, d.owner, '{}'
        FROM documents AS d WHERE d.id = NEW.doc_id;
    END IF;
    RETURN NULL;
END;
$$;

CREATE TRIGGER event_changed AFTER INSERT OR UPDATE OF version, history ON contents
FOR EACH ROW EXECUTE FUNCTION note_changed();
