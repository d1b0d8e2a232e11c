"""Lines of other servers' tables of aliases, as `quintet alias load` takes them.  Pure.

Two kinds of lines, told apart by the colon: ``name: target, target`` of sendmail's and Postfix's aliases(5),
and ``address target, target`` of Postfix's virtual(5).  A line that begins with white space goes on with the
one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from quintet.values import dataclass

_COLON = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s":]+)\s*:(?:\s|$)(.*)', re.DOTALL)
_SPACE = re.compile(r"\s*(\S+)\s+(.*)", re.DOTALL)
_TARGET = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,"\s][^,"]*)\s*(?:,|\s(?=\S)|$)')
EXPRESSION = "expressions are no addresses; [rewrite] recipient_canonical_file takes such tables"
_PROGRAM = re.compile(r"[|/]|:include:")


@dataclass(frozen=True, slots=True)
class Line:
    """One alias; what cannot be one has a ``problem`` and no targets."""

    number: int  # of the line in the file, from 1
    address: str
    targets: tuple[str, ...] = ()
    problem: str = ""


def read(lines: Iterable[str], domain: str) -> Iterator[Line]:
    """The aliases of a file; names without a domain are in ``domain``."""
    for number, text in _joined(lines):
        found = _COLON.fullmatch(text) or _SPACE.fullmatch(text)
        if found is None:
            yield Line(number, text.strip(), problem="neither NAME: TARGET nor ADDRESS TARGET")
            continue
        name = found[1].strip('"')
        if "@" not in name and "." in name and found.re is _SPACE:
            continue  # virtual(5): "example.org anything" makes a domain one of ours
        yield _line(number, _whole(name, domain), found[2], domain)


def _line(number: int, address: str, rest: str, domain: str) -> Line:
    if address.startswith("/"):
        return Line(number, address, problem=EXPRESSION)
    targets = [each.strip().strip('"').strip() for each in _TARGET.findall(rest)]
    if not targets:
        return Line(number, address, problem="no target")
    if any(_PROGRAM.match(each) for each in targets):
        return Line(number, address, problem="programs, files and :include: are no addresses")
    # "\name" is aliases(5) for "the mailbox, without looking at aliases"
    return Line(number, address, tuple(_whole(each.removeprefix("\\"), domain) for each in targets))


def _whole(name: str, domain: str) -> str:
    return name if "@" in name else f"{name}@{domain}"


def _joined(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    begun, text = 0, ""
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and text:
            text += line
            continue
        if text:
            yield begun, text
        begun, text = number, line
    if text:
        yield begun, text
