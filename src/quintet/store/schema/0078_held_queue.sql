-- What an account has held for later release (FUTURERELEASE, RFC 4865): counted when more is asked for.

ALTER TABLE queue ADD COLUMN release_at INTEGER NOT NULL DEFAULT 0;
-- ms; 0: at once.

CREATE INDEX queue_by_release ON queue (account_id, release_at) WHERE release_at > 0;
