-- What goes when, what can be had back, what must not go.

CREATE TABLE article_end (
    message_row INTEGER PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
);
CREATE INDEX article_end_by_time ON article_end (expires_at);
-- Articles whose poster said until when they matter (Expires, RFC 5536 3.2.5); few do.

CREATE TABLE expunged (
    folder_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    folder_name TEXT NOT NULL,
    message_id INTEGER NOT NULL REFERENCES message,
    flags INTEGER NOT NULL,
    keywords TEXT NOT NULL,
    size INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    expunged_at INTEGER NOT NULL,
    PRIMARY KEY (folder_id, uid)
) WITHOUT ROWID;
CREATE INDEX expunged_by_time ON expunged (expunged_at);
CREATE INDEX expunged_by_account ON expunged (account_id, expunged_at);
CREATE INDEX expunged_by_message ON expunged (message_id);
-- Messages that were taken away and can be had back for a while: nobody sees them, no quota counts them,
-- their content stays.  The folder may be gone; its name is where they were.  The window is the setting
-- "undelete" (ms); without one, and without a hold, nothing comes here.

CREATE TABLE hold (
    account_id INTEGER NOT NULL REFERENCES account,
    folder_id INTEGER NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, folder_id)
) WITHOUT ROWID;
-- Accounts (`folder_id` 0) or single folders of which nothing may be lost: nothing expires there, and what
-- their users take away stays in `expunged` until the hold is lifted.

DROP INDEX history_by_message;
CREATE INDEX history_by_message ON history (message_row) WHERE message_row IS NOT NULL;
-- Only articles that are here are looked for by their message.
