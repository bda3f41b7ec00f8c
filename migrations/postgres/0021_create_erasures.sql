-- People who are being erased: from the request until nothing has their id any more. Who goes on after a crash finds here which
-- id takes its place.
CREATE TABLE erasures (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    pseudonym text NOT NULL,
    documents text NOT NULL CHECK (documents IN ('private', 'owned')),
    begun_at bigint NOT NULL
);
