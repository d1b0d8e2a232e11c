ALTER TABLE account ADD COLUMN forward TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN keep_copy INTEGER NOT NULL DEFAULT 1;
-- Addresses, with spaces between, that get a copy of all mail for the account; with `keep_copy` 0 they get it
-- instead of the account.

CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
-- Keys that the server made for itself (signing return addresses and confirmations), shared by all workers
-- and part of every backup.

CREATE TABLE send_as (
    account_id INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    address TEXT NOT NULL,
    PRIMARY KEY (account_id, address)
) WITHOUT ROWID;
-- Addresses, besides its own, in whose name an account may send: one, "@domain" for all of a domain, or "*".

CREATE TABLE return_path (
    token TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX return_path_by_end ON return_path (expires_at);
-- Senders whose rewritten address would be longer than a local part may be: a token stands for them.

CREATE TABLE mailing_list (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL DEFAULT '',
    owners TEXT NOT NULL,
    post TEXT NOT NULL DEFAULT 'members',
    others TEXT NOT NULL DEFAULT 'moderate',
    joining TEXT NOT NULL DEFAULT 'confirm',
    reply_to TEXT NOT NULL DEFAULT '',
    tag TEXT NOT NULL DEFAULT '',
    max_size INTEGER NOT NULL DEFAULT 0,
    max_bounces INTEGER NOT NULL DEFAULT 5,
    created_at INTEGER NOT NULL
);
-- A mailing list.  `post` is who may post at once (anyone, members, owners), `others` what becomes of the
-- rest (moderate, refuse), `joining` who gets in by mail (confirm, closed).  Its addresses are rows of
-- `address` of kind "list" whose target is "id role".

CREATE TABLE list_member (
    id INTEGER PRIMARY KEY,
    list_id INTEGER NOT NULL REFERENCES mailing_list ON DELETE CASCADE,
    address TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'active',
    bounces INTEGER NOT NULL DEFAULT 0,
    bounced_at INTEGER NOT NULL DEFAULT 0,
    joined_at INTEGER NOT NULL,
    UNIQUE (list_id, address)
);
-- Who gets the posts of a list: `state` is "active", "paused" (no posts, by wish) or "dead" (its mail came
-- back too often).  `bounces` counts days on which something came back, `bounced_at` is the last of them.
