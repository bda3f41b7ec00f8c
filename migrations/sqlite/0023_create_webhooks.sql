-- Who wants to be told of events, and where. `owner` is whose documents they are; NULL of all. `kinds` has the types with a comma
-- between them. `secret` is what deliveries are signed with, encrypted where objects are. What fails for days is disabled, with a `reason`.
CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT,
    made_by TEXT NOT NULL,
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,
    secret BLOB NOT NULL,
    enabled BOOLEAN NOT NULL,
    reason TEXT,
    failing_since BIGINT,
    made_at BIGINT NOT NULL
);

CREATE INDEX webhooks_by_owner ON webhooks (owner, id);

-- What is to be told to whom: written in the transaction that numbers the event, which may be gone before it is told. `due_at` is when to
-- try, and of one that is being tried when somebody else may: a server that dies holds nothing up for longer.
CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    hook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    doc_id TEXT,
    by_user TEXT,
    data TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    done_at BIGINT,
    status BIGINT,
    error TEXT
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (hook_id, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_hook ON webhook_deliveries (hook_id, state, id);
CREATE INDEX webhook_deliveries_done ON webhook_deliveries (state, done_at) WHERE done_at IS NOT NULL;
