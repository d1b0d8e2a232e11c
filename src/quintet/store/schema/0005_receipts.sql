ALTER TABLE account ADD COLUMN mdn TEXT NOT NULL DEFAULT 'never';
-- Receipts for messages that the account reads: "never", "ask" (its mail program does), "always" (the server).

CREATE TABLE receipt (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    folder_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    due_at INTEGER NOT NULL
);
CREATE INDEX receipt_by_time ON receipt (due_at);
-- Messages that were opened and whose senders may have asked to be told; looked at when `due_at` has come.
