-- A second line behind src/access.rs: what a request may see, the database itself knows. The server works as `quire_service`,
-- which may see all, and answers requests as `quire_request`, which sees what the transaction says that it is for: `quire.user`,
-- and `quire.linked` where documents are listed that anybody may open. A query that forgets its filter finds nothing. Neither
-- role owns anything or passes by the policies, and the owner of the tables is held to them as well (FORCE).
--
-- Roles are those of the whole server. Where whoever migrates may not make them, the operator does so once, and is told how.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['quire_service', 'quire_request'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                -- That of another database was faster.
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN RAISE insufficient_privilege USING MESSAGE = format(
                    'the role %1$s is missing, and %2$s may not make it. Run as a superuser: '
                    'CREATE ROLE quire_service NOLOGIN; CREATE ROLE quire_request NOLOGIN; '
                    'GRANT quire_service, quire_request TO %2$s;',
                    wanted, quote_ident(current_user)
                );
            END;
        END IF;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted AND (rolsuper OR rolbypassrls)) THEN
            RAISE EXCEPTION 'the role % passes by row-level security: ALTER ROLE % NOSUPERUSER NOBYPASSRLS',
                wanted, wanted;
        END IF;
        -- Whether it can be taken on is found out by doing so: what membership means has changed with the versions.
        BEGIN
            EXECUTE format('SET LOCAL ROLE %I', wanted);
            SET LOCAL ROLE NONE;
        EXCEPTION
            WHEN insufficient_privilege THEN
                BEGIN
                    EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
                EXCEPTION
                    WHEN insufficient_privilege THEN RAISE insufficient_privilege USING MESSAGE = format(
                        '%2$s may not take on the role %1$s. Run as a superuser: '
                        'GRANT quire_service, quire_request TO %2$s;',
                        wanted, quote_ident(current_user)
                    );
                END;
        END;
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO quire_service, quire_request', current_schema());
    EXECUTE format(
        'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO quire_service', current_schema()
    );
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO quire_service', current_schema());
    -- Also what later steps make.
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO quire_service',
        current_schema()
    );
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO quire_service', current_schema()
    );
END;
$$;

-- For a request there are documents, and what is said of its user. Of the log it may know how far it has come, and nothing
-- that is in it.
GRANT SELECT ON documents, permissions, group_members TO quire_request;
GRANT SELECT (shard, doc_id, version) ON ops TO quire_request;

ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE documents FORCE ROW LEVEL SECURITY;
ALTER TABLE permissions ENABLE ROW LEVEL SECURITY;
ALTER TABLE permissions FORCE ROW LEVEL SECURITY;
ALTER TABLE share_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE share_links FORCE ROW LEVEL SECURITY;
ALTER TABLE user_groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_groups FORCE ROW LEVEL SECURITY;
ALTER TABLE group_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE group_members FORCE ROW LEVEL SECURITY;

-- Whoever migrates is a member of quire_service. One that does not inherit from it sees no row: a later step that changes rows
-- here has to SET LOCAL ROLE quire_service first.
CREATE POLICY service ON documents TO quire_service USING (TRUE) WITH CHECK (TRUE);
CREATE POLICY service ON permissions TO quire_service USING (TRUE) WITH CHECK (TRUE);
CREATE POLICY service ON share_links TO quire_service USING (TRUE) WITH CHECK (TRUE);
CREATE POLICY service ON user_groups TO quire_service USING (TRUE) WITH CHECK (TRUE);
CREATE POLICY service ON group_members TO quire_service USING (TRUE) WITH CHECK (TRUE);

-- A setting that was made for an earlier transaction is empty afterwards, and the empty text is nobody.
CREATE POLICY request ON group_members FOR SELECT TO quire_request
USING (user_id = nullif(current_setting('quire.user', TRUE), ''));

CREATE POLICY request ON permissions FOR SELECT TO quire_request
USING (
    (kind = 'user' AND subject = nullif(current_setting('quire.user', TRUE), ''))
    OR (
        kind = 'group'
        AND subject IN (
            SELECT m.group_id FROM group_members AS m
            WHERE m.user_id = nullif(current_setting('quire.user', TRUE), '')
        )
    )
);

-- What has ended is known by the server's clock, and is left out by its queries.
CREATE POLICY request ON documents FOR SELECT TO quire_request
USING (
    owner = nullif(current_setting('quire.user', TRUE), '')
    OR (link_role <> 'none' AND current_setting('quire.linked', TRUE) = 'on')
    -- Only the rows of this user's are there for this query.
    OR id IN (SELECT p.doc_id FROM permissions AS p)
);
