-- The ground: every table, and under each a paragraph saying why it is so.
--
-- Written in the common subset of SQLite 3.35 and PostgreSQL; `dialect.schema` turns the few words that
-- differ (INTEGER, BLOB, WITHOUT ROWID, and lines that begin with "--@postgresql").  Times are UTC
-- milliseconds.  Ids come from one counter (`counter`, or a sequence on PostgreSQL), never from the
-- engine, so that a number that was used once never means something else: 48 bits, the object number
-- and the message number of a property store.

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) WITHOUT ROWID;
-- One row, "id": the next object number.  The writer reads it once a batch and writes it back before the
-- commit, so a number costs nothing.  PostgreSQL uses the sequence instead, in
-- blocks, one a connection: numbers need not be dense.
--@postgresql CREATE SEQUENCE object_number START 16777216 INCREMENT 16777216;
INSERT INTO counter (name, next) VALUES ('id', 100);

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
-- What belongs to this data rather than to a configuration file: cursors of background work, the version
-- of the ready octets.

CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    display_name TEXT NOT NULL DEFAULT '',
    guid BLOB NOT NULL,
    modseq INTEGER NOT NULL DEFAULT 1,
    quota_bytes INTEGER NOT NULL DEFAULT 0,
    quota_messages INTEGER NOT NULL DEFAULT 0,
    used_bytes INTEGER NOT NULL DEFAULT 0,
    used_messages INTEGER NOT NULL DEFAULT 0,
    uid_validity INTEGER NOT NULL DEFAULT 0,
    language TEXT NOT NULL DEFAULT '',
    disabled INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
);
-- An owner of folders; the newsgroups belong to the account "news".  `modseq` is the one change counter:
-- every change of anything in the account takes the next value, under the row's lock, so numbers become
-- visible in order and nobody who polls can miss a lower one.  `guid` is the replica GUID that, with a
-- 48-bit number, names an object for ever.  `uid_validity` is the last one given out, so that a folder
-- made anew under an old name never repeats it.  Zero as a quota means none.

CREATE TABLE domain (
    name TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
-- The domains that are ours; lower case, internationalised names in their ASCII form.

CREATE TABLE address (
    id INTEGER PRIMARY KEY,
    domain TEXT NOT NULL REFERENCES domain ON DELETE CASCADE,
    local TEXT NOT NULL,
    kind TEXT NOT NULL,
    account_id INTEGER REFERENCES account ON DELETE CASCADE,
    target TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    UNIQUE (domain, local)
);
CREATE INDEX address_by_account ON address (account_id);
-- Where mail for local@domain goes: kind "primary" or "alias" to `account_id`, "forward" to the addresses
-- in `target`, "group" to the newsgroup named in `target`.  An empty local part is the catch-all.  Local
-- parts are compared without case, so they are kept folded.

CREATE TABLE credential (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    secret TEXT NOT NULL,
    scopes TEXT NOT NULL DEFAULT '',
    expires_at INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX credential_by_account ON credential (account_id);
-- One secret in one form (argon2id, a SCRAM verifier, an application password); never in clear text
-- unless a mechanism cannot do without.  `scopes` are words between spaces; empty means all.

CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    parent_id INTEGER REFERENCES folder,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT '',
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL DEFAULT 1,
    low INTEGER NOT NULL DEFAULT 1,
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    highest_modseq INTEGER NOT NULL,
    created_modseq INTEGER NOT NULL,
    changed_modseq INTEGER NOT NULL,
    forgot_modseq INTEGER NOT NULL DEFAULT 0,
    quota_bytes INTEGER NOT NULL DEFAULT 0,
    quota_messages INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    moderator TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL DEFAULT '',
    UNIQUE (account_id, name)
);
CREATE INDEX folder_by_parent ON folder (parent_id);
CREATE INDEX folder_by_creation ON folder (kind, created_at);
-- A place for entries.  `name` is the whole path with "/" between levels, so a look-up is one probe and a
-- listing is one range; a rename rewrites the names below it.  All counts are kept here in the transaction
-- that changes them: a count is never a scan.  `low` is the lowest number that may still be present, it
-- never goes down.  `forgot_modseq`: tombstones at or below it were pruned.  `changed_modseq` moves when
-- the folder itself changes (name, role, status), `highest_modseq` when something in it does.

CREATE TABLE folder_tombstone (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    folder_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    PRIMARY KEY (account_id, folder_id)
) WITHOUT ROWID;
-- A folder that is gone, for clients that keep a copy of the tree.

CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    dotless INTEGER NOT NULL,
    place INTEGER NOT NULL,
    digest BLOB NOT NULL,
    data BLOB
);
-- Bytes as they travelled, once.  `place` 0: in `data` (up to 64 KiB), so that a small letter shares the
-- flush of its rows; 1: a file named after the hash.  `dotless`: no line begins with a dot, so that
-- stuffing is a copy.  `digest` (part offsets, raw headers) is derived from these bytes alone, so it lies
-- here and not with the message: listings stay dense, and copies of the bytes share it.

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    envelope BLOB NOT NULL,
    bodystructure BLOB NOT NULL,
    overview BLOB NOT NULL,
    body BLOB NOT NULL,
    size INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    blob_id INTEGER REFERENCES blob,
    message_key INTEGER NOT NULL,
    sent_at INTEGER,
    thread_key INTEGER NOT NULL,
    from_mailbox TEXT NOT NULL,
    to_mailbox TEXT NOT NULL,
    cc_mailbox TEXT NOT NULL,
    from_display TEXT NOT NULL,
    to_display TEXT NOT NULL,
    base_subject TEXT NOT NULL,
    is_reply INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    refs TEXT NOT NULL,
    prefix BLOB NOT NULL
);
CREATE INDEX message_by_blob ON message (blob_id);
CREATE INDEX message_by_key ON message (message_key);
CREATE INDEX message_by_thread ON message (thread_key);
-- Immutable content: our prefix (trace headers) before a blob.  The ready octets stand first, because a
-- listing reads them and nothing behind them.  `ready` is the version of the renderer that made them.
-- `message_key` and `thread_key` are 63-bit hashes of the Message-ID and of the thread's root: an index
-- over numbers is a third of one over text; who looks up compares the text too.  `refs` are the ids of
-- References or In-Reply-To between spaces, oldest first.  `sent_at` is null without a usable Date: then
-- the time of arrival counts (RFC 5256 2.2).  An item that never was MIME has no blob.

CREATE TABLE entry (
    folder_id INTEGER NOT NULL REFERENCES folder,
    uid INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    keywords TEXT NOT NULL,
    size INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    message_id INTEGER NOT NULL REFERENCES message,
    id INTEGER NOT NULL UNIQUE,
    saved_at INTEGER NOT NULL,
    content_modseq INTEGER NOT NULL,
    read_modseq INTEGER NOT NULL,
    created_modseq INTEGER NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (folder_id, uid)
) WITHOUT ROWID;
CREATE INDEX entry_by_modseq ON entry (folder_id, modseq);
CREATE INDEX entry_by_message ON entry (message_id);
CREATE INDEX entry_by_keywords ON entry (folder_id, keywords) WHERE keywords <> '';
-- A message in a folder, clustered by place and number, because every listing walks a range of numbers.
-- `size` repeats the message's, so that sizes and sums need no join.  One counter, four columns: `modseq`
-- any change, `content_modseq` the content (a property store's change number), `read_modseq` the read
-- state, `created_modseq` tells "new" from "changed".  `hidden` entries (associated items) are not counted
-- in the folder and not listed to those who speak MIME.  Few entries have keywords, so that index is small.

CREATE TABLE tombstone (
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    entry_id INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    PRIMARY KEY (folder_id, uid)
) WITHOUT ROWID;
CREATE INDEX tombstone_by_modseq ON tombstone (folder_id, modseq);
-- A number that is gone, for clients that were away.

CREATE TABLE garbage (
    message_id INTEGER PRIMARY KEY REFERENCES message ON DELETE CASCADE,
    doomed_at INTEGER NOT NULL
);
-- Messages that lost an entry and may have none left.  They are swept an hour later by a job, not in the
-- expunge: a session that is just sending the body goes on undisturbed, and expunging stays quick.

CREATE TABLE seen (
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    present INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    uids TEXT NOT NULL,
    PRIMARY KEY (folder_id, account_id)
) WITHOUT ROWID;
-- One reader's read set in a folder that is shared, as ranges of numbers ("1-512,514").  `present` is how
-- many of them still have an entry, so that "unread for me" is a subtraction.

CREATE TABLE seen_change (
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    modseq INTEGER NOT NULL,
    uids TEXT NOT NULL,
    PRIMARY KEY (folder_id, account_id, modseq)
) WITHOUT ROWID;
-- Which numbers a reader's mark changed, and when, so that the reader's other sessions hear it.  The oldest
-- rows are merged: a change may be told twice, never lost.

CREATE TABLE access (
    folder_id INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    who TEXT NOT NULL,
    rights TEXT NOT NULL,
    PRIMARY KEY (folder_id, who)
) WITHOUT ROWID;
CREATE INDEX access_by_who ON access (who);
-- Rights by letters (RFC 4314).  `who` is an account's name, "anyone" or "authenticated"; a leading "-"
-- takes rights away.  The owner's rights are implied.

CREATE TABLE subscription (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (account_id, name)
) WITHOUT ROWID;
-- Names, not folders: a subscription outlives the folder it names (RFC 9051 6.3.7).

CREATE TABLE annotation (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    folder_id INTEGER NOT NULL,
    reader_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (account_id, folder_id, reader_id, name)
) WITHOUT ROWID;
-- Named remarks on an account (folder_id 0) or a folder, shared (reader_id 0) or private to a reader.

CREATE TABLE prop (
    kind INTEGER NOT NULL,
    object_id INTEGER NOT NULL,
    part INTEGER NOT NULL DEFAULT 0,
    tag INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, object_id, part, tag)
) WITHOUT ROWID;
-- A property that no MIME can carry: of an account, folder, entry, or of an entry's recipient or attachment
-- (`part` numbers them).  What MIME carries is derived, never stored here: one truth.

CREATE TABLE named_prop (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    id INTEGER NOT NULL,
    guid BLOB NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, guid, name)
) WITHOUT ROWID;
-- The account's own numbers (0x8000 and up) for named properties; a numeric name is kept as "#n".

CREATE TABLE script (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name TEXT NOT NULL,
    content BLOB NOT NULL,
    active INTEGER NOT NULL DEFAULT 0,
    changed_at INTEGER NOT NULL,
    UNIQUE (account_id, name)
);
-- Filter scripts (RFC 5804); at most one of an account is active.

CREATE TABLE history (
    message_id TEXT PRIMARY KEY,
    message_row INTEGER,
    arrived_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX history_by_arrival ON history (arrived_at);
CREATE INDEX history_by_message ON history (message_row);
-- Every Message-ID of news that was taken or refused for good, longer than the article itself lives, so
-- that it is not taken twice.  `message_row` is null for one that was refused, cancelled or has expired.

CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL REFERENCES message,
    account_id INTEGER REFERENCES account ON DELETE SET NULL,
    sender TEXT NOT NULL,
    params TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX queue_by_message ON queue (message_id);
-- A message on its way out; `params` are the envelope's (RET, ENVID, BODY, SMTPUTF8, REQUIRETLS) as JSON.
-- It goes with its last recipient.

CREATE TABLE queue_recipient (
    id INTEGER PRIMARY KEY,
    queue_id INTEGER NOT NULL REFERENCES queue ON DELETE CASCADE,
    address TEXT NOT NULL,
    domain TEXT NOT NULL,
    params TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT '',
    delayed_notice INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX queue_recipient_by_queue ON queue_recipient (queue_id);
CREATE INDEX queue_recipient_by_due ON queue_recipient (state, due_at);
-- One recipient with its own fate: waiting, leased, held or failed; a delivered one is deleted.  A lease that
-- ran out is as good as none, so a worker that died loses nothing.

CREATE TABLE job (
    name TEXT PRIMARY KEY,
    due_at INTEGER NOT NULL,
    lease_owner TEXT NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT '',
    last_error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
-- Background work that one process at a time does: sweeping, indexing, expiring.

CREATE TABLE trace (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    conn TEXT NOT NULL,
    event TEXT NOT NULL,
    account_id INTEGER,
    message_row INTEGER,
    message_id TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX trace_by_message ON trace (message_id);
CREATE INDEX trace_by_time ON trace (at);
-- What happened to a message, in every protocol: accepted from whom, filed where, read, relayed, bounced.
-- Kept for a while, then swept; nothing depends on it.
