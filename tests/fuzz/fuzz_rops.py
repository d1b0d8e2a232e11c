"""Fuzz target: any bytes as buffers of operations of either direction, and as bodies of MAPI over HTTP."""

from __future__ import annotations

from quintet.errors import BadSyntax
from quintet.mapi import frame
from quintet.mapi.buffer import Writer
from quintet.mapi.ids import ShortId
from quintet.mapi.rop import folders, messages, properties, registry, stores, tables

_ID = ShortId(1, 5)


def _asks(*bodies: object) -> bytes:
    writer = Writer()
    for at, body in enumerate(bodies):
        registry.put_request(writer, body, 0, at, at + 1)
    return registry.join(writer.done(), [0xFFFFFFFF] * (len(bodies) + 1))


SEEDS: list[bytes] = [
    b"\0" + _asks(stores.Logon(1, 0, 0, "/o=x"), folders.OpenFolder(_ID, 0), folders.GetContentsTable(0)),
    b"\0" + _asks(tables.SetColumns(0, (0x0037001F,)), tables.QueryRows(0, True, 10), registry.RELEASE),
    b"\0" + _asks(messages.OpenMessage(0, _ID, 0, _ID), properties.SetProperties(((0x0037001F, "x"),))),
    b"\1" + registry.join(b"\x02\1\0\0\0\0\0\0" + b"\x2c\0\0\0\0\0\2\0ab" + b"\x6e\1\0", [1, 2]),
    b"\2" + frame.wrap([_asks(registry.RELEASE)], obfuscate=True),
]


def target(data: bytes) -> None:
    """The first byte says what the rest is to be."""
    try:
        if data[:1] == b"\1":
            registry.read_answers(data[1:], lambda place: (0x0037001F, 0x0E080003))
        elif data[:1] == b"\2":
            for payload in frame.unwrap(data[1:]):
                registry.read(payload)
        else:
            _same(data[1:])
    except BadSyntax:
        return


def _same(raw: bytes) -> None:
    """What can be written is written as something that reads the same."""
    found = registry.read(raw)
    writer = Writer()
    for asked in found.asked:
        if asked.rop.request is not None and asked.rop.request.kind is tuple:
            return
        body = asked.rop.id if asked.rop.request is None else asked.body
        registry.put_request(writer, body, asked.logon, asked.index, asked.other)
    again = registry.read(registry.join(writer.done(), found.handles))
    assert repr([one.body for one in again.asked]) == repr([one.body for one in found.asked])
