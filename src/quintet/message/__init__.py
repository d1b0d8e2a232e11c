"""MIME and the header formats: bytes in, values and ready octets out.

Knows RFC 5322, the MIME family, and the shapes IMAP and NNTP ask for; knows
no protocol, no store, and does no I/O.
"""

from __future__ import annotations
