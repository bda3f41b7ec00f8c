INSERT INTO documents (id, shard, history, title, owner, created_at, updated_at, preview, search, link_role)
SELECT
    value ->> 'id',
    value ->> 'shard',
    value ->> 'history',
    value ->> 'title',
    value ->> 'owner',
    value ->> 'created_at',
    value ->> 'created_at',
    value ->> 'preview',
    value ->> 'search',
    value ->> 'link_role'
FROM json_each(?1)
