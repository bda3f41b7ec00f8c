-- What the operation is to change in its document's row when it settles: the time, and the first line if that is new.
ALTER TABLE recent_ops ADD COLUMN touch BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE recent_ops ADD COLUMN preview TEXT;
