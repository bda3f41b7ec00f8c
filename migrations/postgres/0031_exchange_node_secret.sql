-- The secret from before the last exchange, and when that was: it is believed for a minute more, until all servers have read the new one.
ALTER TABLE node_secret ADD COLUMN previous bytea, ADD COLUMN exchanged_at timestamptz;
