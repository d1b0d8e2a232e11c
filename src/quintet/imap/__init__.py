"""IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) over the house's one store.

`wire` frames and parses, `commands` lists what a client can ask, `session` holds the states and the
tables, `cmd` has one file a family of commands, `view` the client's numbering.
"""
