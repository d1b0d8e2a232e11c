DROP TABLE history;
ALTER TABLE history_hash RENAME TO history;
CREATE UNIQUE INDEX history_by_key ON history (key);
CREATE INDEX history_by_arrival ON history (arrived_at);
