-- What a key's request was, as SHA-256 of the call and its body, and what it makes in its document: the client of its operation, or its
-- comment. Another request under the same key is refused. Keys from before have neither, for the day that they are kept.
ALTER TABLE repeats ADD COLUMN digest BLOB;
ALTER TABLE repeats ADD COLUMN made TEXT;
