-- Receipts for what was deleted unread.

ALTER TABLE receipt ADD COLUMN message_id INTEGER NOT NULL DEFAULT 0;
-- The message itself, whose entry is gone; it is kept for an hour (`garbage`), and the receipt is sent at once.  0: the
-- entry tells.
