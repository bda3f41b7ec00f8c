-- When somebody has shown to read what is sent to the account's address (Unix ms); NULL until then.
ALTER TABLE credentials ADD COLUMN address_proved_at bigint;
