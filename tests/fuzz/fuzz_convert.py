"""Fuzz target: any bytes are a letter, and the item that it is becomes one that says the same."""

from __future__ import annotations

from quintet.mapi.convert import difference, from_mime, merge, names, to_mime
from tests.fuzz.fuzz_message import SEEDS as LETTERS

SEEDS = [
    *LETTERS,
    (
        b'From: "A, B" <a@b.org>\r\nSender: c@d.org\r\nReply-To: e@f.org, g:;\r\nSubject: Re: x\r\n'
        b"Thread-Index: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\r\nKeywords: a, b\r\nX-Priority: 1\r\n"
        b"X-Auto-Response-Suppress: DR, OOF\r\nDisposition-Notification-To: <a@b.org>\r\n"
        b"To: IMCEAEX-_o=a+20b@imcea.invalid\r\n"
        b'Content-Type: multipart/related; boundary=x; start="<r>"\r\n\r\n'
        b"--x\r\nContent-ID: <p>\r\nContent-Type: image/png; name=p.png\r\n\r\n\x89PNG\r\n"
        b"--x\r\nContent-ID: <r>\r\nContent-Type: text/html; charset=utf-16\r\n\r\n"
        b"<img src=cid:p>\r\n--x--\r\n"
    ),
]


def target(data: bytes) -> None:
    """One input."""
    item = from_mime(data)
    again = from_mime(b"".join(to_mime(item)))
    assert len(again.attachments) == len(item.attachments)
    merged = merge(again, difference(item, again))
    assert merged.props[names.SUBJECT] == item.props[names.SUBJECT]
    assert merged.recipients == item.recipients
