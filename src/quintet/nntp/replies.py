"""What many answers have in common."""

from __future__ import annotations

END = b".\r\n"  # of a multi-line answer (RFC 3977 3.1.1)
