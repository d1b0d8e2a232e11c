"""Mail in and out of the store in the formats of other programs: mbox, Maildir, single files.

Readers give one `incoming.Incoming` after the other; `load` puts them in, `dump` writes them out.
Everything streams: no message is held but small ones, no list of messages is made.
"""
