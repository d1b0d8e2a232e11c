-- When a folder itself last changed.

ALTER TABLE folder ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
UPDATE folder SET changed_at = created_at;
-- The time of `changed_modseq`; of folders that are older than this column, that of their making.
