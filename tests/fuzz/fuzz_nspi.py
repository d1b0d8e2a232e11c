"""Fuzz target: any bytes as a body of the address book; BadSyntax may come out; what is read can be told."""

from __future__ import annotations

import uuid
from typing import Any

from quintet.errors import BadSyntax
from quintet.mapi import restrict
from quintet.mapi.nspi import bodies, messages, names

_KINDS = sorted(bodies.REQUESTS)
_STAT = messages.Stat(current=2, delta=-3)
_REQUESTS: dict[str, Any] = {
    "bind": messages.Bind(0x20, _STAT),
    "dntominid": messages.DnToMinId(0, (b"/o=x/cn=y", b"")),
    "getmatches": messages.GetMatches(
        state=_STAT,
        filter=restrict.And((restrict.Exist(0x3001001F), restrict.Not(restrict.Exist(1)))),
        property=(uuid.UUID(int=5), 7),
        columns=(0x3001001F, 0x0FFF0102),
    ),
    "modlinkatt": messages.ModLinkAtt(1, 0x8009000D, 100, (names.permanent(0, "/o=x"),)),
    "modprops": messages.ModProps(0, _STAT, (0x3A701102,), ((0x3A701102, [b"certificate", None]),)),
    "resolvenames": messages.ResolveNames(0, _STAT, (0x3001001F,), ("Zoë", "")),
    "seekentries": messages.SeekEntries(0, _STAT, (0x3001001F, "Z"), (100, 101), (0x3001001F,)),
}
_TABLE = messages.Table((0x3001001F, 0x39000003), (["Zoë", 0], [None, 6]))

SEEDS: list[bytes] = [
    bytes((2 * _KINDS.index(kind),)) + bodies.write_request(kind, request)
    for kind, request in _REQUESTS.items()
] + [
    bytes((2 * _KINDS.index("queryrows") + 1,))
    + bodies.write_response("queryrows", messages.Rows(0, _STAT, _TABLE)),
    bytes((2 * _KINDS.index("getspecialtable") + 1,))
    + bodies.write_response(
        "getspecialtable", messages.SpecialTable(0, 1200, 1, (((0x3001001F, "All"), (0x30050003, 0)),))
    ),
]


def target(data: bytes) -> None:
    """The first byte says whose body, and whether it is asked or answered."""
    if not data:
        return
    kind = _KINDS[data[0] // 2 % len(_KINDS)]
    answer = data[0] % 2
    read, write = (
        (bodies.read_response, bodies.write_response)
        if answer
        else (bodies.read_request, bodies.write_request)
    )
    try:
        found = read(kind, data[1:])
    except (BadSyntax, bodies.Failure):
        return
    assert repr(read(kind, write(kind, found))) == repr(found)  # repr: NaN is itself there
