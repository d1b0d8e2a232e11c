-- What an account wants done with letters that come into a folder.

CREATE TABLE rule (
    id INTEGER PRIMARY KEY,
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    state INTEGER NOT NULL,
    name TEXT,
    provider TEXT,
    level INTEGER,
    user_flags INTEGER,
    provider_data BLOB,
    condition BLOB,
    actions BLOB
);
CREATE INDEX rule_by_folder ON rule (folder_id, sequence, id);
-- `condition` and `actions` are packed by those who know what they mean; properties with names have the
-- account's numbers in them.  NULL is what nobody said; no condition is met by every letter.

CREATE TABLE rule_told (
    rule_id INTEGER NOT NULL REFERENCES rule ON DELETE CASCADE,
    address TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (rule_id, address)
) WITHOUT ROWID;
-- Whom a rule has answered, in lower case, when last and how often since `told_at` began to count.
