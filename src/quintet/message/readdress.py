"""Other addresses in header fields: each at its place, and every other octet as it was.

Pure.  An address is found wherever it stands in a field of addresses (RFC 5322 3.4), also in groups and in
odd surroundings; text in quotes and comments is none.  Forms with blanks around the "@" (4.4) are left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from quintet.message.addresses import comment_end

Other = Callable[[bytes], bytes | None]
"""What an address becomes, as it is written; None: it stays."""

MAX_UNCLOSED = 64  # comments without an end, or too deep; in a field of more nothing is taken for a comment

_FIELDS = re.compile(rb"(?<=\n)(?![ \t])")
_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]+"
_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_ADDRESS = rb"(?P<address>(?:%b)@(?:[A-Za-z0-9.\x80-\xff-]+|\[[^\[\]\\\s]*\]))|%b|."
_TOKEN = re.compile(_ADDRESS % ((_QUOTED + b"|" + _ATOM,) * 2), re.DOTALL)
_AFTER_QUOTES = re.compile(_ADDRESS % (_ATOM, _ATOM), re.DOTALL)  # where no quotation mark has its second


def block(fields: bytes, others: Mapping[bytes, Other]) -> bytes:
    """A header block with other addresses in the fields that ``others`` names, in lower case."""
    return b"".join(
        [
            field if (other := others.get(_name(field))) is None else _field(field, other)
            for field in _cut(fields)
        ]
    )


def changes(
    fields: list[tuple[bytes, bytes]] | tuple[tuple[bytes, bytes], ...], others: Mapping[bytes, Other]
) -> bool:
    """Whether `block` would change one of these fields (name, value)."""
    for name, value in fields:
        other = others.get(name.lower())
        if other is not None and b"@" in value and _value(value, other) != value:
            return True
    return False


def _cut(fields: bytes) -> list[bytes]:
    return [one for one in _FIELDS.split(fields) if one]


def _name(field: bytes) -> bytes:
    return field.partition(b":")[0].rstrip(b" \t").lower()


def _field(field: bytes, other: Other) -> bytes:
    name, colon, value = field.partition(b":")
    return name + colon + _value(value, other)


def _value(value: bytes, other: Other) -> bytes:
    made: list[bytes] = []
    at, token, unclosed = 0, _TOKEN, 0
    while at < len(value):
        if value[at] == 0x28 and unclosed < MAX_UNCLOSED:
            end = comment_end(value, at)
            if end >= 0:
                made.append(value[at:end])
                at = end
                continue
            unclosed += 1
        found = token.match(value, at)
        assert found is not None  # its last branch takes any octet
        if found[0] == b'"':
            token = _AFTER_QUOTES  # looked for once: a field may be nothing but such marks
        at = found.end()
        address = found["address"]
        new = other(address) if address is not None and not address.startswith(b"=?") else None
        made.append(found[0] if new is None else new)
    return b"".join(made)
