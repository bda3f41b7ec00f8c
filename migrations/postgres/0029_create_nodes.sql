-- The servers that share this database, as far as they have been told at which address others reach them. Each renews its row every
-- two seconds, by the clock of the database: the table says who should try to own what, and nothing that is written depends on it.
-- What is safe is so by the epochs of `shards` alone.
CREATE TABLE nodes (
    node text COLLATE "C" NOT NULL PRIMARY KEY,
    url text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    draining boolean NOT NULL
);

-- Shards that somebody has moved to a server, which has them for as long as it is there, whatever their hashes say. Beside `shards`,
-- whose rows appends lock.
CREATE TABLE pins (
    shard smallint NOT NULL PRIMARY KEY REFERENCES shards (shard),
    node text COLLATE "C" NOT NULL REFERENCES nodes (node) ON DELETE CASCADE
);

CREATE INDEX pins_node ON pins (node);

-- What servers prove to each other with that they are of one cluster: made by the first of them.
CREATE TABLE node_secret (
    one boolean NOT NULL PRIMARY KEY CHECK (one),
    secret bytea NOT NULL
);
