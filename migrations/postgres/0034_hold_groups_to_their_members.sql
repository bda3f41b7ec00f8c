-- Groups are read and changed as `quire_request`, too. The transaction says which one it is about (`quire.group`): its members see it and
-- who is in it, and whoever manages it changes it (functions: migration 0033).

GRANT SELECT, INSERT, DELETE, UPDATE (name) ON user_groups TO quire_request;
GRANT INSERT, DELETE, UPDATE (manager) ON group_members TO quire_request;

CREATE POLICY seen ON group_members FOR SELECT TO quire_request
USING (group_id = nullif(current_setting('quire.group', TRUE), '') AND (SELECT request_is_in_group()));

CREATE POLICY change ON group_members TO quire_request
USING (group_id = nullif(current_setting('quire.group', TRUE), '') AND (SELECT request_manages_group()));

CREATE POLICY leave ON group_members FOR DELETE TO quire_request
USING (
    group_id = nullif(current_setting('quire.group', TRUE), '')
    AND user_id = nullif(current_setting('quire.user', TRUE), '')
);

-- Those that the requester is in, and those that they have made: of these there may be so many.
CREATE POLICY seen ON user_groups FOR SELECT TO quire_request
USING (
    made_by = nullif(current_setting('quire.user', TRUE), '')
    OR id IN (SELECT m.group_id FROM group_members AS m)
);

CREATE POLICY make ON user_groups FOR INSERT TO quire_request
WITH CHECK (
    id = nullif(current_setting('quire.group', TRUE), '')
    AND made_by = nullif(current_setting('quire.user', TRUE), '')
);

CREATE POLICY rename ON user_groups FOR UPDATE TO quire_request
USING (id = nullif(current_setting('quire.group', TRUE), '') AND (SELECT request_manages_group()));

CREATE POLICY remove ON user_groups FOR DELETE TO quire_request
USING (id = nullif(current_setting('quire.group', TRUE), '') AND (SELECT request_manages_group()));

-- What was given to a group goes with it.
CREATE POLICY with_group ON permissions FOR DELETE TO quire_request
USING (
    kind = 'group' AND subject = nullif(current_setting('quire.group', TRUE), '')
    AND (SELECT request_manages_group())
);
