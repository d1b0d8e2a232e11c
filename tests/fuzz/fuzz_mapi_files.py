"""Fuzz target: any bytes as a file that carries an item; BadSyntax may come out; what is read is written."""

from __future__ import annotations

from quintet.errors import BadSyntax
from quintet.mapi import guids, msgfile, tnef
from quintet.mapi.bag import Attachment, Item, NamedTag

_INNER = Item({0x0037001F: "inner"}, [], [Attachment({}, b"deep")])
_ITEM = Item(
    {0x0037001F: "Zoë", 0x001A001F: "IPM.Note", 0x00170003: 2, 0x00390040: 1 << 56, 0x10090102: b"rtf",
     NamedTag(guids.PS_PUBLIC_STRINGS, "Keywords", 0x101F): ["a", "b"],
     NamedTag(guids.PSETID_COMMON, 0x8503, 0x000B): True},
    [{0x3001001F: "Zoë", 0x0C150003: 1}],
    [Attachment({0x3704001F: "a.txt"}, b"hello" * 50), Attachment({0x37050003: 5}, item=_INNER)],
)  # fmt: skip
SEEDS: list[bytes] = [tnef.write(_ITEM), tnef.write(_INNER), msgfile.write(_INNER), msgfile.write(_ITEM)]


def target(data: bytes) -> None:
    module = msgfile if data[:1] == b"\xd0" else tnef
    try:
        found = module.read(data)
    except BadSyntax:
        return
    again = module.read(module.write(found))
    assert len(again.attachments) == len(found.attachments)
