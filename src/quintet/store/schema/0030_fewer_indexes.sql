DROP INDEX message_by_thread;
-- Nobody looked anything up by it (a client sorts a folder into threads by the keys themselves), and each message
-- dirtied one more page of it.
DROP INDEX trace_by_time;
-- The trace is written in the order of its numbers, so the oldest and the newest are at its ends.
