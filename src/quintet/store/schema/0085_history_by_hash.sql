CREATE TABLE history_hash (
    id INTEGER PRIMARY KEY,
    arrived_at INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    key INTEGER NOT NULL,
    rest BLOB NOT NULL,
    crc INTEGER NOT NULL
);
-- What `history` becomes: the Message-IDs of news that were taken or refused for good, by their hashes.  `id` is the
-- message row of an article, or an object number of its own where none was filed; `gone`: no article of it is
-- here (any more).  `key` and `rest` are the two halves of the MD5 of the Message-ID, the first as a signed number,
-- `crc` is its tag in the table of known ids (`idtable`).  The text stands with the message, as long as that is here:
-- ten million rows with texts and their indexes had 1.9 GB, and each index repeated the text.
-- `migrate` fills it from the old table.
