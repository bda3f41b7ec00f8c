-- Who wants to be told of events, and where. `owner` is whose documents they are; NULL of all. `kinds` has the types with a comma
-- between them. `secret` is what deliveries are signed with, encrypted where objects are. What fails for days is disabled, with a `reason`.
CREATE TABLE webhooks (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    owner text COLLATE "C",
    made_by text COLLATE "C" NOT NULL,
    url text NOT NULL,
    kinds text NOT NULL,
    secret bytea NOT NULL,
    enabled boolean NOT NULL,
    reason text,
    failing_since bigint,
    made_at bigint NOT NULL
);

CREATE INDEX webhooks_by_owner ON webhooks (owner, id);

-- What is to be told to whom: written in the transaction that numbers the event, which may be gone before it is told. `due_at` is when to
-- try, and of one that is being tried when somebody else may: a server that dies holds nothing up for longer.
CREATE TABLE webhook_deliveries (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    hook_id text COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    n bigint NOT NULL,
    at bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    doc_id text COLLATE "C",
    by_user text COLLATE "C",
    data text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    tries bigint NOT NULL,
    due_at bigint NOT NULL,
    made_at bigint NOT NULL,
    done_at bigint,
    status bigint,
    error text
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (hook_id, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_hook ON webhook_deliveries (hook_id, state, id);
CREATE INDEX webhook_deliveries_done ON webhook_deliveries (state, done_at) WHERE done_at IS NOT NULL;
