SELECT id, history FROM documents WHERE purge_pending ORDER BY id
