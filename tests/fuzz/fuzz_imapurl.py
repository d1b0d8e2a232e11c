"""Bytes into the reader of IMAP URLs, and into the reader of Authentication-Results."""

from quintet.delivery import authres
from quintet.errors import BadSyntax
from quintet.message import imapurl

SEEDS = [
    b"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354a473744909de610943775f92038",
    b"imap://a%40b@[::1]:143/x/;UID=1/;SECTION=HEADER.FIELDS%20(A)/;PARTIAL=0.9;EXPIRE=2025-11-21T10:00:00Z;URLAUTH=authuser",
    b'Authentication-Results: (c (d)) "mx\\.example.org" 1; spf=pass\r\n\tx=y\r\nSubject: x\r\n\r\n',
]


def target(data: bytes) -> None:
    kept = authres.without_ours(data, "mx.example.org")
    assert len(kept) <= len(data)
    assert authres.without_ours(kept, "mx.example.org") == kept
    assert isinstance(authres.authserv_id(data), str)
    try:
        url = imapurl.parse(data.decode("latin-1"))
    except BadSyntax:
        return
    assert 0 < url.uid < 1 << 32
    assert all(ord(letter) >= 0x20 for letter in url.user + url.mailbox + url.who)
