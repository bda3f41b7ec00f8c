-- Who may do what. The table from before was never written to, and wanted users that this server had seen: an application which
-- brings its own users gives them documents before they have ever come.
DROP TABLE permissions;

-- What whoever has the address may do; so far that was to edit. `access_changes` counts changes of what anybody may do: what
-- was read under another number is to be read again.
ALTER TABLE documents ADD COLUMN link_role text NOT NULL DEFAULT 'editor'
CHECK (link_role IN ('none', 'viewer', 'commenter', 'editor'));
ALTER TABLE documents ADD COLUMN access_changes bigint NOT NULL DEFAULT 0;

-- One person's documents, recent first.
CREATE INDEX documents_by_owner ON documents (owner, updated_at DESC, id DESC) WHERE purged_at IS NULL;

-- What a person or a group may do with a document, beside what everybody may. The owner is in `documents`. `subject` is the id
-- of a user or of a group; `granted_by` stays when that user goes.
CREATE TABLE permissions (
    doc_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('user', 'group')),
    subject text COLLATE "C" NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'editor', 'commenter', 'viewer')),
    granted_by text COLLATE "C" NOT NULL,
    granted_at bigint NOT NULL,
    expires_at bigint,
    PRIMARY KEY (doc_id, kind, subject)
);

-- What one person or group may see.
CREATE INDEX permissions_by_subject ON permissions (kind, subject, doc_id);

-- Whoever presents the token has the role. Of the token there is only the SHA-256: it is as random as that is long.
CREATE TABLE share_links (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    doc_id text COLLATE "C" NOT NULL,
    hash bytea NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('editor', 'commenter', 'viewer')),
    made_by text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

CREATE INDEX share_links_by_document ON share_links (doc_id, id);

-- People who are given documents together.
CREATE TABLE user_groups (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    name text NOT NULL,
    made_by text COLLATE "C" NOT NULL,
    made_at bigint NOT NULL
);

-- Managers say who is in it.
CREATE TABLE group_members (
    group_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    manager boolean NOT NULL,
    added_by text COLLATE "C" NOT NULL,
    added_at bigint NOT NULL,
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX group_members_by_user ON group_members (user_id, group_id);

-- As before (0006), and new documents say what their address is good for.
CREATE OR REPLACE FUNCTION append_ops(
    -- By shard, ascending: the epoch that the owner believes in, and the `changes` that it remembers; or else NULL, and the
    -- position of the first operation, if there is one, to be looked at. No array of positions where there are none.
    shards_ smallint[],
    epochs_ bigint[],
    changes_ bigint[],
    first_positions_ bigint[],
    -- Documents that are not remembered, with the version of the first operation (NULL for none).
    docs_ text[],
    doc_shards_ smallint[],
    first_versions_ bigint[],
    -- The operations.
    op_shards_ smallint[],
    op_docs_ text[],
    op_versions_ bigint[],
    op_positions_ bigint[],
    op_clients_ uuid[],
    op_seqs_ bigint[],
    op_users_ text[],
    op_ats_ bigint[],
    op_deltas_ bytea[],
    -- What the batch makes known of each of its clients.
    client_shards_ smallint[],
    client_docs_ text[],
    client_ids_ uuid[],
    client_users_ text[],
    client_seqs_ bigint[],
    client_versions_ bigint[],
    -- Rows of new documents, and of those whose time or first line moves, as JSON; NULL for none, as is usual.
    created_ text,
    touched_ text
) RETURNS bigint[]
LANGUAGE plpgsql
AS $$
DECLARE
    held_epochs bigint[];
    held_changes bigint[];
    held_floors bigint[];
BEGIN
    SELECT array_agg(held.epoch), array_agg(held.changes), array_agg(held.pos_floor)
    INTO held_epochs, held_changes, held_floors
    FROM (
        SELECT s.epoch, s.changes, s.pos_floor
        FROM shards AS s
        WHERE s.shard = ANY (shards_)
        ORDER BY s.shard
        FOR SHARE
    ) AS held;
    -- Another owner has been here, or this one is not what it takes itself for.
    IF held_epochs IS DISTINCT FROM epochs_ THEN
        RETURN NULL;
    END IF;
    PERFORM FROM unnest(held_changes, changes_) AS c (held, remembered) WHERE c.held <> c.remembered;
    IF FOUND THEN
        RETURN NULL;
    END IF;

    -- Subqueries that can only be an index lookup each: a plan is kept, and what is small today is not tomorrow.
    IF first_positions_ IS NOT NULL THEN
        PERFORM FROM unnest(shards_, held_floors, first_positions_) AS w (shard, pos_floor, first)
        WHERE
            w.first - 1 <> greatest(
                w.pos_floor,
                (SELECT o.pos FROM ops AS o WHERE o.shard = w.shard ORDER BY o.pos DESC LIMIT 1)
            );
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;

    IF cardinality(docs_) > 0 THEN
        PERFORM FROM unnest(docs_, doc_shards_, first_versions_) AS w (doc_id, shard, first)
        WHERE
            (SELECT d.purged_at IS NULL FROM documents AS d WHERE d.id = w.doc_id) IS NOT TRUE
            OR w.first - 1 <> coalesce(
                (
                    SELECT o.version FROM ops AS o
                    WHERE o.shard = w.shard AND o.doc_id = w.doc_id
                    ORDER BY o.version DESC LIMIT 1
                ),
                0
            );
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;

    IF created_ IS NOT NULL THEN
        INSERT INTO documents (id, shard, history, title, owner, created_at, updated_at, preview, search, link_role)
        SELECT
            c.id, c.shard, c.history, c.title, c.owner, c.created_at, c.created_at, c.preview, c.search,
            -- A program from before says nothing of it.
            coalesce(c.link_role, 'editor')
        FROM json_to_recordset(created_::json) AS c (
            id text, shard smallint, history uuid, title text, owner text, created_at bigint, preview text, search text,
            link_role text
        );
    END IF;

    INSERT INTO ops (shard, doc_id, version, pos, client_id, seq, user_id, at, delta, format)
    SELECT o.*, 1
    FROM unnest(
        op_shards_, op_docs_, op_versions_, op_positions_, op_clients_, op_seqs_, op_users_, op_ats_, op_deltas_
    ) AS o;

    -- A client belongs to the user of its first operation, and a guest's passes to the first signed-in user who makes
    -- one. How far it has come never goes back.
    INSERT INTO clients AS c (shard, doc_id, client_id, user_id, last_seq, last_version)
    SELECT *
    FROM unnest(client_shards_, client_docs_, client_ids_, client_users_, client_seqs_, client_versions_)
    ON CONFLICT (shard, doc_id, client_id) DO UPDATE
    SET
        user_id = CASE
            WHEN starts_with(c.user_id, 'guest:') AND NOT starts_with(excluded.user_id, 'guest:')
                THEN excluded.user_id
            ELSE c.user_id
        END,
        last_seq = greatest(c.last_seq, excluded.last_seq),
        last_version = CASE
            WHEN excluded.last_seq >= c.last_seq THEN excluded.last_version ELSE c.last_version
        END;

    IF touched_ IS NOT NULL THEN
        -- Locked in order of id, as all lock them who lock several.
        PERFORM FROM documents AS d
        WHERE d.id = ANY (ARRAY(SELECT t.id FROM json_to_recordset(touched_::json) AS t (id text)))
        ORDER BY d.id
        FOR NO KEY UPDATE;

        -- Time only goes forward, and without a preview the one that is there stays. What is searched begins with the
        -- title, up to and with the separator.

        UPDATE documents AS d
        SET
            updated_at = greatest(d.updated_at, t.at),
            preview = coalesce(t.preview, d.preview),
            search = coalesce(left(d.search, strpos(d.search, chr(31))) || t.folded, d.search)
        FROM json_to_recordset(touched_::json) AS t (id text, at bigint, preview text, folded text)
        WHERE d.id = t.id AND (d.updated_at < t.at OR t.preview IS NOT NULL);
    END IF;

    RETURN held_changes;
END;
$$;
