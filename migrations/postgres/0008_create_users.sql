-- Who a person is. Everywhere else there is only `id`, which is opaque and lasts: what a person may want removed is here
-- alone. `issuer` and `subject` are what an identity provider calls them. Guests have no row.
CREATE TABLE users (
    id text COLLATE "C" NOT NULL PRIMARY KEY CHECK (NOT starts_with(id, 'guest:')),
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    name text NOT NULL,
    email text,
    created_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    disabled_at bigint,
    UNIQUE (issuer, subject)
);
