-- When something in a folder changed or went.

ALTER TABLE folder ADD COLUMN stirred_at INTEGER NOT NULL DEFAULT 0;
-- What came tells its own time (`entry.saved_at`), so that filing writes nothing more; see `folders.stirred`.

CREATE INDEX folder_by_role ON folder (account_id, role) WHERE role <> '';
-- A folder that goes stirs the one that stands for the account's top: without the index that reads all of them.
