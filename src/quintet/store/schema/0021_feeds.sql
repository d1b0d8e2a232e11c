CREATE TABLE feed (
    name TEXT PRIMARY KEY,
    next_row INTEGER NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
-- One row for each server that gets articles from us.  Message rows of the history below `next_row` were handed
-- out, as ranges; what each of them means for the peer is decided when it is sent, so filing an article costs
-- no feed anything.  `state` is what the last connection came to, for people.

CREATE TABLE feed_range (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL REFERENCES feed ON DELETE CASCADE,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    lease_owner TEXT NOT NULL,
    lease_until INTEGER NOT NULL
);
CREATE INDEX feed_range_by_name ON feed_range (name, lease_until);
-- Message rows from `low` to `high` that are being sent by `lease_owner`; `low` moves while they are.  A lease
-- that ran out is as good as none.

CREATE TABLE feed_item (
    name TEXT NOT NULL REFERENCES feed ON DELETE CASCADE,
    message_row INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (name, message_row)
) WITHOUT ROWID;
CREATE INDEX feed_item_by_due ON feed_item (name, due_at);
-- Articles that a peer put off, one by one.  Who sends one moves its `due_at` on first: that is its lease.

CREATE TABLE pull (
    name TEXT NOT NULL,
    folder TEXT NOT NULL,
    upto INTEGER NOT NULL,
    looked_at INTEGER NOT NULL,
    PRIMARY KEY (name, folder)
) WITHOUT ROWID;
-- How far the groups of a server, where we are only a reader, were fetched: the highest number, or with an
-- empty folder the time of the last look.
