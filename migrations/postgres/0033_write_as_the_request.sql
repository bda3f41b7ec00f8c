-- What a request writes about a document it writes as `quire_request`, too: comments, names, grants, links and settings. The database
-- knows by itself what the requester may do at most, and keeps back what goes beyond it, whatever the query says.
--
-- Coarser than src/access.rs, as before: what has ended counts here, groups and links add up, and of a document that a guest has
-- made nobody is the owner, so that whoever sees it counts as one.

-- 0 for somebody who does not see the document of this transaction, 1 for a viewer, 2 a commenter, 3 an editor, 4 an owner. It reads
-- past the policies, since it is part of them, and as things were before the statement that asks. Its plan is kept by the connection:
-- in a function of the language sql it would be made anew for each statement, which takes longer than all else.
CREATE FUNCTION request_role() RETURNS integer LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    RETURN (
        WITH asked AS (
            SELECT
                nullif(current_setting('quire.user', TRUE), '') AS who,
                nullif(current_setting('quire.doc', TRUE), '') AS doc,
                decode(nullif(current_setting('quire.link', TRUE), ''), 'hex') AS link
        ), given AS (
            SELECT 'owner' AS role FROM asked AS a INNER JOIN documents AS d ON d.id = a.doc AND d.owner = a.who
            UNION ALL
            SELECT d.link_role FROM asked AS a INNER JOIN documents AS d ON d.id = a.doc
            WHERE current_setting('quire.linked', TRUE) = 'on'
            UNION ALL
            SELECT p.role FROM asked AS a INNER JOIN permissions AS p
                ON p.doc_id = a.doc AND p.kind = 'user' AND p.subject = a.who
            UNION ALL
            SELECT p.role FROM asked AS a INNER JOIN group_members AS m ON m.user_id = a.who
            INNER JOIN permissions AS p ON p.doc_id = a.doc AND p.kind = 'group' AND p.subject = m.group_id
            UNION ALL
            SELECT l.role FROM asked AS a INNER JOIN share_links AS l
                ON l.doc_id = a.doc AND l.hash = a.link AND l.revoked_at IS NULL
        ), most AS (
            SELECT max(CASE role WHEN 'viewer' THEN 1 WHEN 'commenter' THEN 2 WHEN 'editor' THEN 3 WHEN 'owner' THEN 4 ELSE 0 END) AS role
            FROM given
        )
        SELECT CASE
            WHEN m.role > 0 AND EXISTS (
                SELECT FROM asked AS a INNER JOIN documents AS d ON d.id = a.doc AND d.owner LIKE 'guest:%'
            ) THEN 4
            ELSE coalesce(m.role, 0)
        END
        FROM most AS m
    );
END;
$$;

-- Whether the requester may make this of the document of this transaction: anybody counts a change of access, of their own or beside a
-- comment; an editor gives another title; the rest is the owner's, and to give it away that of the one whose it is.
--
-- Volatile, so that it reads the row as it is by now: what is written by somebody who has waited for another transaction is made of what
-- that has left behind, and not of what the statement has seen at first.
CREATE FUNCTION request_may_make(made documents) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
    has integer := request_role();
BEGIN
    RETURN EXISTS (
        SELECT FROM documents AS d
        WHERE d.id = made.id AND d.id = nullif(current_setting('quire.doc', TRUE), '')
            AND (
                d.owner = made.owner
                OR (d.owner = nullif(current_setting('quire.user', TRUE), '') AND d.owner NOT LIKE 'guest:%')
            )
            AND (
                has >= 4
                OR (
                    (d.link_role, d.archived) = (made.link_role, made.archived)
                    AND d.deleted_at IS NOT DISTINCT FROM made.deleted_at
                    AND (
                        has >= 3
                        OR (d.title, d.search, d.preview, d.updated_at) = (made.title, made.search, made.preview, made.updated_at)
                    )
                )
            )
    );
END;
$$;

-- Locks a group, so that changes of one group follow each other; tells whether there is one, and nothing else of it.
CREATE FUNCTION touch_group(wanted text) RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    WITH touched AS (UPDATE user_groups SET name = name WHERE id = wanted RETURNING 1) SELECT EXISTS (SELECT FROM touched)
$$;

-- Whether the requester is in the group of this transaction, and whether as somebody who manages it: also whoever has just made it, as
-- long as nobody is in it.
CREATE FUNCTION request_is_in_group() RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM group_members AS m
        WHERE m.group_id = current_setting('quire.group', TRUE)
            AND m.user_id = nullif(current_setting('quire.user', TRUE), '')
    );
END;
$$;

CREATE FUNCTION request_manages_group() RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM group_members AS m
        WHERE m.group_id = current_setting('quire.group', TRUE)
            AND m.user_id = nullif(current_setting('quire.user', TRUE), '') AND m.manager
    ) OR EXISTS (
        SELECT FROM user_groups AS g
        WHERE g.id = current_setting('quire.group', TRUE)
            AND g.made_by = nullif(current_setting('quire.user', TRUE), '')
            AND NOT EXISTS (SELECT FROM group_members AS m WHERE m.group_id = g.id)
    );
END;
$$;

-- Counts a change of access of all documents that a group has been given: whoever manages it need not see them. They are locked in
-- order of id, as all lock them who lock several.
CREATE FUNCTION count_changes_of_group(changed text) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    SELECT FROM documents
    WHERE id IN (SELECT p.doc_id FROM permissions AS p WHERE p.kind = 'group' AND p.subject = changed)
    ORDER BY id
    FOR NO KEY UPDATE;
    UPDATE documents SET access_changes = access_changes + 1
    WHERE id IN (SELECT p.doc_id FROM permissions AS p WHERE p.kind = 'group' AND p.subject = changed);
$$;

-- What reads past the policies does so as the service: the owner of the tables is held to them. So do the triggers that note what has
-- happened (migration 0022), whoever has made it happen: somebody who leaves a document does not see it any more.
DO $$
DECLARE
    helper text;
BEGIN
    ALTER FUNCTION note_document() SECURITY DEFINER;
    ALTER FUNCTION note_permission() SECURITY DEFINER;
    ALTER FUNCTION note_share_link() SECURITY DEFINER;
    ALTER FUNCTION note_commented() SECURITY DEFINER;
    GRANT EXECUTE ON FUNCTION
        request_role(), request_may_make(documents),
        request_is_in_group(), request_manages_group(), touch_group(text), count_changes_of_group(text)
    TO quire_request;
    -- For the owner of the schema. A login that may make tables there and no more has this done for it.
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO quire_service', current_schema());
    IF NOT has_schema_privilege('quire_service', current_schema(), 'CREATE') THEN
        RAISE insufficient_privilege USING MESSAGE = format(
            '%1$s does not own the schema %2$s, and quire_service may make nothing in it. Run as a superuser, and revoke it afterwards: '
            'GRANT CREATE ON SCHEMA %2$s TO quire_service;',
            quote_ident(current_user), quote_ident(current_schema())
        );
    END IF;
    FOREACH helper IN ARRAY ARRAY[
        'request_role()', 'request_may_make(documents)',
        'request_is_in_group()', 'request_manages_group()', 'touch_group(text)', 'count_changes_of_group(text)',
        'note_document()', 'note_permission()', 'note_share_link()', 'note_commented()'
    ] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', helper);
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', helper, current_schema());
        EXECUTE format('ALTER FUNCTION %s OWNER TO quire_service', helper);
    END LOOP;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM quire_service', current_schema());
END;
$$;

GRANT UPDATE (title, archived, deleted_at, updated_at, search, preview, owner, link_role, access_changes)
ON documents TO quire_request;
GRANT INSERT, DELETE, UPDATE (text, edited_at, revision, resolved_by, resolved_at) ON comments TO quire_request;
GRANT INSERT, DELETE, UPDATE (name, user_id, named_at, made_at) ON named_versions TO quire_request;
GRANT INSERT, DELETE, UPDATE (role, granted_by, granted_at, expires_at) ON permissions TO quire_request;
GRANT INSERT, DELETE, UPDATE (revoked_at) ON share_links TO quire_request;

-- What is seen of one document follows from the role, too: it is found once for a statement, whatever else somebody has been given, while
-- the policies from before went through all of that, and those of comments and names through all documents. And the document stays in
-- sight of the statement that takes its requester out of it.
ALTER POLICY request ON documents
USING (
    CASE coalesce(current_setting('quire.doc', TRUE), '')
        WHEN '' THEN
            owner = nullif(current_setting('quire.user', TRUE), '')
            OR (link_role <> 'none' AND current_setting('quire.linked', TRUE) = 'on')
            -- Only the rows of this user's are there for this query, and only the link that was presented.
            OR id IN (SELECT p.doc_id FROM permissions AS p)
            OR id IN (SELECT l.doc_id FROM share_links AS l)
        ELSE id = current_setting('quire.doc', TRUE) AND (SELECT request_role()) > 0
    END
);

ALTER POLICY request ON comments
USING (doc_id = nullif(current_setting('quire.doc', TRUE), '') AND (SELECT request_role()) > 0);

ALTER POLICY request ON named_versions
USING (doc_id = nullif(current_setting('quire.doc', TRUE), '') AND (SELECT request_role()) > 0);

-- Also locked, by whoever writes about it.
CREATE POLICY change ON documents FOR UPDATE TO quire_request
USING (id = nullif(current_setting('quire.doc', TRUE), '') AND (SELECT request_role()) > 0)
WITH CHECK (request_may_make(documents));

CREATE POLICY change ON comments TO quire_request
USING (doc_id = nullif(current_setting('quire.doc', TRUE), '') AND (SELECT request_role()) >= 2);

CREATE POLICY change ON named_versions TO quire_request
USING (doc_id = nullif(current_setting('quire.doc', TRUE), '') AND (SELECT request_role()) >= 3);

CREATE POLICY change ON permissions TO quire_request
USING (doc_id = nullif(current_setting('quire.doc', TRUE), '') AND (SELECT request_role()) >= 4);

CREATE POLICY leave ON permissions FOR DELETE TO quire_request
USING (
    doc_id = nullif(current_setting('quire.doc', TRUE), '')
    AND kind = 'user' AND subject = nullif(current_setting('quire.user', TRUE), '')
);

CREATE POLICY change ON share_links TO quire_request
USING (doc_id = nullif(current_setting('quire.doc', TRUE), '') AND (SELECT request_role()) >= 4);

-- Nobody writes in another one's name. Comments are changed by others as well, who settle them.
CREATE POLICY own ON comments AS RESTRICTIVE FOR INSERT TO quire_request
WITH CHECK (user_id = nullif(current_setting('quire.user', TRUE), ''));
CREATE POLICY own ON named_versions AS RESTRICTIVE FOR INSERT TO quire_request
WITH CHECK (user_id = nullif(current_setting('quire.user', TRUE), ''));
CREATE POLICY still_own ON named_versions AS RESTRICTIVE FOR UPDATE TO quire_request
USING (TRUE) WITH CHECK (user_id = nullif(current_setting('quire.user', TRUE), ''));
CREATE POLICY own ON permissions AS RESTRICTIVE FOR INSERT TO quire_request
WITH CHECK (granted_by = nullif(current_setting('quire.user', TRUE), ''));
CREATE POLICY still_own ON permissions AS RESTRICTIVE FOR UPDATE TO quire_request
USING (TRUE) WITH CHECK (granted_by = nullif(current_setting('quire.user', TRUE), ''));
CREATE POLICY own ON share_links AS RESTRICTIVE FOR INSERT TO quire_request
WITH CHECK (made_by = nullif(current_setting('quire.user', TRUE), ''));

-- The keys of requests: each requester's own.
ALTER TABLE repeats ENABLE ROW LEVEL SECURITY;
ALTER TABLE repeats FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON repeats TO quire_request;
CREATE POLICY service ON repeats TO quire_service USING (TRUE) WITH CHECK (TRUE);
CREATE POLICY request ON repeats TO quire_request USING (user_id = nullif(current_setting('quire.user', TRUE), ''));
