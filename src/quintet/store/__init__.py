"""The one store under every protocol: accounts, folders, entries, messages, blobs, changes, work.

`store.Store` is the only asynchronous door.  Everything else is a plain function of a transaction
(`db.Tx`), so it can be composed, rerun and tested without an event loop, on SQLite and PostgreSQL.
No module here knows the name of a protocol.
"""
