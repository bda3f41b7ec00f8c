UPDATE documents SET purge_pending = FALSE WHERE id = ANY ($1) AND purge_pending
