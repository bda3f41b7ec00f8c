-- People who are being erased: from the request until nothing has their id any more. Who goes on after a crash finds here which
-- id takes its place.
CREATE TABLE erasures (
    user_id TEXT NOT NULL PRIMARY KEY,
    pseudonym TEXT NOT NULL,
    documents TEXT NOT NULL CHECK (documents IN ('private', 'owned')),
    begun_at BIGINT NOT NULL
);
