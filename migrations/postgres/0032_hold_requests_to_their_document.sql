-- Requests for one document are held to it by the database as well. The transaction says whom it is for (`quire.user`), by which share
-- link (`quire.link`, the hash in hexadecimal digits) and of which document (`quire.doc`): it sees that document, and what has been
-- said about it, if this person may see it by any way there is, and nothing otherwise.
ALTER TABLE comments ENABLE ROW LEVEL SECURITY;
ALTER TABLE comments FORCE ROW LEVEL SECURITY;
ALTER TABLE named_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE named_versions FORCE ROW LEVEL SECURITY;

GRANT SELECT ON comments, named_versions, share_links TO quire_request;

CREATE POLICY service ON comments TO quire_service USING (TRUE) WITH CHECK (TRUE);
CREATE POLICY service ON named_versions TO quire_service USING (TRUE) WITH CHECK (TRUE);

-- The link that was presented, and no other.
CREATE POLICY request ON share_links FOR SELECT TO quire_request
USING (revoked_at IS NULL AND hash = decode(nullif(current_setting('quire.link', TRUE), ''), 'hex'));

ALTER POLICY request ON documents
USING (
    owner = nullif(current_setting('quire.user', TRUE), '')
    OR (link_role <> 'none' AND current_setting('quire.linked', TRUE) = 'on')
    -- Only the rows of this user's are there for this query, and only the link that was presented.
    OR id IN (SELECT p.doc_id FROM permissions AS p)
    OR id IN (SELECT l.doc_id FROM share_links AS l)
);

-- Whatever else this person may see, a request for one document is for that.
CREATE POLICY one ON documents AS RESTRICTIVE FOR SELECT TO quire_request
USING (coalesce(current_setting('quire.doc', TRUE), '') IN ('', id));

CREATE POLICY request ON comments FOR SELECT TO quire_request
USING (
    doc_id = nullif(current_setting('quire.doc', TRUE), '')
    AND EXISTS (SELECT FROM documents AS d WHERE d.id = comments.doc_id)
);

CREATE POLICY request ON named_versions FOR SELECT TO quire_request
USING (
    doc_id = nullif(current_setting('quire.doc', TRUE), '')
    AND EXISTS (SELECT FROM documents AS d WHERE d.id = named_versions.doc_id)
);
