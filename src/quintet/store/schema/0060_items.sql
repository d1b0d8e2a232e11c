-- Items come back with their properties.

ALTER TABLE expunged ADD COLUMN entry_id INTEGER NOT NULL DEFAULT 0;
CREATE INDEX expunged_by_entry ON expunged (entry_id) WHERE entry_id <> 0;
-- The object number that the entry had: its properties stay under it for as long as it can be had back.  0 for
-- a version that was replaced (the number is in use) and for rows that are older than this column.

CREATE TABLE replica (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    number INTEGER NOT NULL,
    guid BLOB NOT NULL,
    PRIMARY KEY (account_id, number),
    UNIQUE (account_id, guid)
) WITHOUT ROWID;
-- The account's own short numbers for GUIDs of other replicas that a client has named; given once.  Its own
-- GUID (`account.guid`) is number 1 and has no row.

CREATE TABLE arrival_place (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    class TEXT NOT NULL,
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, class)
) WITHOUT ROWID;
-- Where messages of a class, and of classes below it, are to be filed; classes in lower case.

CREATE TABLE access_more (
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    who TEXT NOT NULL,
    bits INTEGER NOT NULL,
    PRIMARY KEY (folder_id, who)
) WITHOUT ROWID;
-- Rights beside those of `access` that no letter tells: editing or deleting what is one's own only, seeing when
-- somebody is free.  They have no meaning for those who list mail.
