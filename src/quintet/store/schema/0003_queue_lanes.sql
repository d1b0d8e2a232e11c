-- The queue in lanes, so that taking a batch costs the same with ten recipients and with a million.

ALTER TABLE queue_recipient ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue_recipient ADD COLUMN hold_reason TEXT NOT NULL DEFAULT '';
-- `rank` orders what is due: four times the priority (RFC 6710), less up to three for a message with many
-- recipients, so that a mailing to a list stands beside single letters, not before them.

DROP INDEX queue_recipient_by_due;
CREATE INDEX queue_recipient_by_state ON queue_recipient (state);
CREATE INDEX queue_recipient_by_lease ON queue_recipient (state, due_at) WHERE state = 'leased';
CREATE INDEX queue_recipient_by_lane ON queue_recipient (domain, rank, due_at) WHERE state = 'waiting';
-- No index of (state, due_at) beside them: SQLite would take it to fill a lane, and read the whole queue.

CREATE TABLE queue_lane (
    domain TEXT NOT NULL,
    rank INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    rest_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (domain, rank)
) WITHOUT ROWID;
CREATE INDEX queue_lane_by_due ON queue_lane (rank, due_at);
-- One row a domain and rank with waiting recipients.  `due_at` is never later than the first of them is due,
-- but for a lane that rests: nobody looks into it before `rest_until`.  It may be earlier: whoever looks and
-- finds nothing puts it right.

INSERT INTO queue_lane (domain, rank, due_at)
SELECT domain, 0, min(due_at) FROM queue_recipient WHERE state = 'waiting' GROUP BY domain;

CREATE TABLE queue_rule (
    id INTEGER PRIMARY KEY,
    field TEXT NOT NULL,
    pattern TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
);
-- Mail that is held when it is queued: `field` is sender, recipient, account or size.

CREATE TABLE suppression (
    address TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    bounces INTEGER NOT NULL DEFAULT 0,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL DEFAULT 0,
    forget_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX suppression_by_forget ON suppression (forget_at);
-- Addresses that failed for good, counted; nothing is sent to one before `until`.

CREATE TABLE queue_flush (
    domain TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX queue_flush_by_at ON queue_flush (at);
-- When a site last asked for its mail (ETRN, RFC 1985): every worker forgets how slow it was.
