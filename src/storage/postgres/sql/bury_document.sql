-- Nothing that a person wrote stays, but the id and the history do: neither is ever given again.
UPDATE documents
SET
    purged_at = $2,
    purge_pending = TRUE,
    title = '',
    owner = '',
    preview = '',
    search = '',
    snapshot_version = 0
WHERE id = $1 AND purged_at IS NULL
RETURNING history
