CREATE TABLE entry_annotation (
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    reader_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    value BLOB,
    PRIMARY KEY (folder_id, uid, reader_id, name)
) WITHOUT ROWID;
CREATE INDEX entry_annotation_by_modseq ON entry_annotation (folder_id, modseq);
CREATE INDEX entry_annotation_by_reader ON entry_annotation (reader_id) WHERE reader_id <> 0;
-- Named remarks on an entry, shared (reader_id 0) or private to a reader; clustered by number, because a
-- listing walks a range of numbers.  They go with the entry.  One that was taken away stays for a while
-- without a value, so that other sessions hear of it.

ALTER TABLE account ADD COLUMN used_remarks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN quota_remarks INTEGER NOT NULL DEFAULT 0;
-- Bytes of names and values of remarks on entries: shared ones count for who owns the folder, private ones
-- for their reader.  Zero as a quota means what the configuration says.
