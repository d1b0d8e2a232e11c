"""Limits of SMTP at their edge: what a standard still allows is taken, and one octet more is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quintet.clock import FrozenClock
from quintet.errors import BadSyntax, Refused
from quintet.smtp import commands, parameters
from quintet.smtp.parameters import Terms

TERMS = Terms(FrozenClock(), max_size=1000, hold_max_s=1000, by_min_s=10)


def mail(keyword: str, value: str) -> object:
    given = ((keyword, value.encode()),)
    return parameters.read_mail(given, TERMS, secure=True, trusted=True).wishes()


def domain(size: int) -> str:
    """So long, in labels of 63 octets at most."""
    labels = []
    while size > 63:
        labels.append("d" * min(63, size - 2))
        size -= len(labels[-1]) + 1
    return ".".join([*labels, "e" * size])


LIMITS: dict[str, tuple[int, Callable[[int], object]]] = {
    # RFC 5321 4.5.3.1.1; a parameter, quotes, or a route lead other ways to the same
    "local": (64, lambda size: commands.parse(f"MAIL FROM:<{'a' * size}@b.test>".encode())),
    "local of RCPT": (64, lambda size: commands.parse(f"RCPT TO:<{'a' * size}@b.test>".encode())),
    "local, SIZE": (64, lambda size: commands.parse(f"MAIL FROM:<{'a' * size}@b.test> SIZE=1".encode())),
    "quoted local": (64, lambda size: commands.parse(f'RCPT TO:<"{"a" * size}"@b.test>'.encode())),
    # RFC 5321 4.5.3.1.2, RFC 1035 2.3.4
    "label": (63, lambda size: commands.parse(f"MAIL FROM:<a@{'b' * size}.test>".encode())),
    "last label": (63, lambda size: commands.parse(f"MAIL FROM:<a@b.{'t' * size}>".encode())),
    "name alone": (63, lambda size: commands.parse(f"RCPT TO:<a@{'t' * size}>".encode())),
    # RFC 5321 4.5.3.1.3, with "<" and ">"
    "path": (256, lambda size: commands.parse(f"RCPT TO:<a@{domain(size - 4)}>".encode())),
    "path, BODY": (256, lambda size: commands.parse(f"MAIL FROM:<a@{domain(size - 4)}> BODY=7BIT".encode())),
    # RFC 3461 4.4, 4.2
    "ENVID": (100, lambda size: mail("ENVID", "x" * size)),
    "ORCPT": (500, lambda size: parameters.read_rcpt((("ORCPT", b"rfc822;" + b"x" * (size - 7)),))),
    "SOLICIT": (1000, lambda size: mail("SOLICIT", "x" * size)),  # RFC 3865 2.2
    "HOLDFOR": (1000, lambda seconds: mail("HOLDFOR", str(seconds))),  # RFC 4865 4.1
    "SIZE": (1000, lambda size: mail("SIZE", str(size))),  # RFC 1870 6.1
    "MT-PRIORITY": (9, lambda number: mail("MT-PRIORITY", str(number))),  # RFC 6710 3
    "domains of ATRN": (100, lambda count: commands.parse(b"ATRN " + b",".join([b"a.test"] * count))),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limit_is_where_it_is_said_to_be(name: str) -> None:
    limit, say = LIMITS[name]
    say(limit)
    with pytest.raises((BadSyntax, Refused)):
        say(limit + 1)
