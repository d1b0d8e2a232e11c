CREATE TABLE overview_stretch (
    id INTEGER PRIMARY KEY,
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (folder_id, low)
);
-- Overview lines of the numbers from `low` to `high` of a group as they were sent, in one piece: the messages that
-- they come from lie between bodies, so the whole file would be read for them.  Made when somebody reads such a
-- stretch, all of whose numbers were given out.  It holds as long as the group has lost no entry (`gone`), or the
-- stretch still has as many `entries`; `ready` is the version of the renderer.
