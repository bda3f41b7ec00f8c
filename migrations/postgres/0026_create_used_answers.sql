-- Answers of OpenID Connect providers that were used: each is good once, on whichever server it comes. `state` is the hash of what
-- the answer had to bring along. A row goes some time after the answer would have been too old anyway.
CREATE TABLE used_answers (
    state bytea NOT NULL PRIMARY KEY,
    expires_at bigint NOT NULL
);

CREATE INDEX used_answers_expiring ON used_answers (expires_at);
