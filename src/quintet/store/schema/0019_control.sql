CREATE TABLE early_cancel (
    message_id TEXT NOT NULL,
    by_id TEXT NOT NULL,
    author TEXT NOT NULL,
    keys TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (message_id, by_id)
) WITHOUT ROWID;
CREATE INDEX early_cancel_by_time ON early_cancel (at);
-- A withdrawal of an article that is not here yet, by the article that asked for it: whether it is heeded can only be
-- said when its target comes, with the locks and the author it then has.  Kept for some days.

CREATE TABLE control_task (
    id INTEGER PRIMARY KEY,
    message_row INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    verb TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX control_task_by_due ON control_task (due_at);
-- An article that asks for something which needs more than its own transaction: a signature to be checked, letters
-- to be sent.  Written with the article, worked on by one process at a time, deleted in the transaction of its effect.
