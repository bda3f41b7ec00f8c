UPDATE documents SET history = $3, snapshot_version = 0 WHERE id = $1 AND history = $2 AND purged_at IS NULL
