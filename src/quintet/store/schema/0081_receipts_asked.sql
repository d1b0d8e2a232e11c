-- Receipts that the reader's own program wants the server to send.

ALTER TABLE receipt ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
-- 1: a property store's client marked the message as read and did not suppress the receipt.  It is sent at once, also for
-- accounts that leave receipts to their programs ("ask").
