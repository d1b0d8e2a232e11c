-- Where an entry went that was moved within its account.

ALTER TABLE tombstone ADD COLUMN moved_to INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tombstone_by_move ON tombstone (moved_to) WHERE moved_to <> 0;
-- The object number that it has there: who listens hears of a move, not of a loss and an arrival.  0: it is gone.
