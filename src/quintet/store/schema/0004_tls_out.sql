-- TLS towards other servers: what their domains promise, and what became of it.

CREATE TABLE tls_promise (
    domain TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    body TEXT NOT NULL,
    fetched_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    tried_at INTEGER NOT NULL DEFAULT 0,
    used_at INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX tls_promise_expiry ON tls_promise (expires_at);
CREATE INDEX tls_promise_fetched ON tls_promise (fetched_at);
-- The policy of another domain as it was fetched, kept for as long as it says: whoever is between us and
-- them later cannot take it back.  `version` is the id by which the domain tells of a newer one, `tried_at`
-- and `error` the last try to fetch it again, `used_at` the day it was last asked for: what nobody asks for
-- is not fetched again and runs out.

CREATE TABLE tls_result (
    domain TEXT NOT NULL,
    day INTEGER NOT NULL,
    key TEXT NOT NULL,
    detail TEXT NOT NULL,
    sessions INTEGER NOT NULL,
    PRIMARY KEY (domain, day, key)
) WITHOUT ROWID;
-- Sessions with the hosts of a domain that came out alike on one day (days since 1970, UTC): `detail` is
-- JSON, `key` its hash.  Only of domains that want to know; gone when they were told.

CREATE TABLE tls_report (
    domain TEXT NOT NULL,
    day INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (domain, day)
) WITHOUT ROWID;
CREATE INDEX tls_report_due ON tls_report (due_at);
-- A report that is owed to a domain: its results of that day, to be sent once the day is over.
