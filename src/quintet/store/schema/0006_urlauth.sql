CREATE TABLE mailbox_key (
    folder_id INTEGER PRIMARY KEY REFERENCES folder ON DELETE CASCADE,
    secret BLOB NOT NULL
);
-- The key that signs URLs into a folder, of its owner; made when the first URL is signed, gone when the owner
-- takes all such URLs back.
