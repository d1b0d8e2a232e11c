"""Fuzz target: any bytes are a letter, and the item that it is becomes one that says the same."""

from __future__ import annotations

from quintet.errors import BadSyntax
from quintet.mapi.bag import Attachment, Item
from quintet.mapi.convert import difference, from_mime, merge, names, richread, richwrite, to_mime
from tests.fuzz.fuzz_message import SEEDS as LETTERS

SEEDS = [
    *LETTERS,
    b"".join(to_mime(Item({names.BODY: "x", names.SUBJECT: "y"}, [], [Attachment({}, b"z")]), tnef=True)),
    richwrite.of_html("<p>a &amp; <b>é</b><br>\r\n<!-- c --></p>"),
    rb"{\rtf1\ansi\ansicpg1251{\fonttbl{\f1\fcharset128 x;}}\f1 \'93\'fa{\b x}\u8364?\bin3 }}}{\*\x y}z}",
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


def rich(data: bytes) -> None:
    """What is read out of RTF is written as RTF that says the same."""
    for read, write in ((richread.plain, richwrite.of_text), (richread.html, richwrite.of_html)):
        try:
            found = read(data)
        except BadSyntax:
            continue
        again = read(write(found))
        assert again == found.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def target(data: bytes) -> None:
    """One input: a letter, or RTF."""
    if data.startswith(b"{"):
        rich(data)
        return
    item = from_mime(data)
    again = from_mime(b"".join(to_mime(item)))
    assert len(again.attachments) == len(item.attachments)
    merged = merge(again, difference(item, again))
    assert merged.props[names.SUBJECT] == item.props[names.SUBJECT]
    assert merged.recipients == item.recipients
