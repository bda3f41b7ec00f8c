-- Who a person is. Everywhere else there is only `id`, which is opaque and lasts: what a person may want removed is here
-- alone. `issuer` and `subject` are what an identity provider calls them. Guests have no row.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY CHECK (id NOT LIKE 'guest:%'),
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    disabled_at BIGINT,
    UNIQUE (issuer, subject)
);
