-- The life of articles and mail: what is remembered, what goes when, what can be had back.

CREATE INDEX history_by_age ON history (arrived_at) WHERE message_row IS NULL;
-- Ids whose articles are gone, oldest first: forgetting them never looks at those that are here.
