"""Bytes of a mail filter, and of the header that it changes."""

from quintet.errors import BadSyntax
from quintet.policy import milter

SEEDS = [
    b"\0\0\0\6\0\0\0\x3f\0\0\0\0",
    b"\0\0\0\1Subject\0[x] a\n b\0",
    b"550-5.7.1 no\r\n550 5.7.1 more\0",
    b"Subject: a\r\n b\r\nFrom : c\r\n\r\n",
    b"X\0a\r\n\r\nbody",
]


def target(data: bytes) -> None:
    for read in (milter.agreed, milter.refusal):
        try:
            read(data)
        except BadSyntax:
            continue
    header = milter.Header(data)
    assert bytes(header) == data
    before = len(header.fields())
    try:
        number, name, value = milter.numbered(data)
    except BadSyntax:
        return
    header.change(number, name, value)
    assert abs(len(header.fields()) - before) <= 1
    assert milter.line(name, value).count(b"\r\n") == milter.line(name, value).count(b"\n")
