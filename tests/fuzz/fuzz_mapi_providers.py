"""Fuzz target: any bytes as an answer of Autodiscover, or as a file of vCards that is changed and written.

Only a MapiError may come out of the answer, and nothing out of the file.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from quintet.mapi import pr
from quintet.mapi.errors import MapiError
from quintet.mapi.providers.base import Thing
from quintet.mapi.providers.vcards import CardBook
from quintet.mapi.providers.wire import discover

_ANSWER = (
    b'<Autodiscover><Response><Account><Action>settings</Action><Protocol Type="mapiHttp"><MailStore>'
    b"<ExternalUrl>https://a/</ExternalUrl></MailStore></Protocol></Account></Response></Autodiscover>"
)
SEEDS: list[bytes] = [
    b"\0" + _ANSWER,
    b"\0<Autodiscover><Response><Account><RedirectAddr>b@c</RedirectAddr></Account></Response></Autodiscover>",
    b"\1BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:A B\r\nEMAIL:a@b\r\nEND:VCARD\r\n",
    b"\1BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:T\nMEMBER:urn:uuid:1\nMEMBER:mailto:a@b\nEND:VCARD\n",
]


def target(data: bytes) -> None:
    which, rest = data[:1], data[1:]
    if which == b"\0":
        with contextlib.suppress(MapiError):
            discover.read(rest)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.vcf"
        path.write_bytes(rest)
        book = CardBook(path, "")
        rows = book.entries(book.first())
        for entry in list(rows.ids())[:5]:
            bag = book.load(entry)
            bag[pr.NICKNAME] = "changed"
            book.save(book.first(), bag, entry)
            if bag[pr.OBJECT_TYPE] == Thing.DIST_LIST:
                book.set_members(entry, book.members(entry))
        book.resolve("a")
