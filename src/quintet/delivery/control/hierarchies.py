"""The rules that we ship: defaults that do no harm, and the well-known hierarchies (`hierarchies.tsv`).

What a kind of hierarchy leads to stands in `KINDS`.  Nothing here makes or removes a group on the word of a
From line: only a signature does, and what has none is told to the newsmaster or passed over.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib import resources

from quintet.delivery.control import ctl
from quintet.delivery.control.ctl import Rules
from quintet.values import dataclass

DEFAULTS = (
    ("all", "*", "*", "log"),
    ("newgroup", "*", "*", "mail"),
    ("rmgroup", "*", "*", "mail"),
    ("checkgroups", "*", "*", "mail"),
    ("ihave", "*", "*", "drop"),
    ("sendme", "*", "*", "drop"),
)

GROUP_MESSAGES = ("newgroup", "rmgroup", "checkgroups")

KINDS = {  # what anybody's newgroup, rmgroup and checkgroups lead to, and then those of the senders
    "orphan": (("mail", "mail", "mail"), ""),  # before all: parts of one have found somebody
    "open": (("log", "drop", "drop"), ""),
    "signed": (("drop", "drop", "drop"), "verify"),
    "unsigned": (("log", "log", "log"), "mail"),
    "local": (("drop", "drop", "drop"), ""),
    "private": (("drop", "drop", "drop"), ""),
    "defunct": (("drop", "mail", "drop"), ""),
    "reserved": (("drop", "drop", "drop"), ""),
}


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One row of the table."""

    kind: str
    patterns: str
    senders: str
    key: str
    charset: str
    about: str


@functools.cache
def table() -> tuple[Hierarchy, ...]:
    """All rows, by kind in the order of `KINDS`: an open corner of a signed hierarchy comes before it."""
    text = resources.files("quintet.delivery.control").joinpath("hierarchies.tsv").read_text("utf-8")
    rows = [Hierarchy(*line.split("\t")) for line in text.splitlines() if line and not line.startswith("#")]
    order = list(KINDS)
    return tuple(sorted(rows, key=lambda row: order.index(row.kind)))


@functools.cache
def shipped() -> Rules:
    """Defaults, then the hierarchies."""
    rows = table()
    rules = ctl.of([*DEFAULTS, *(each for row in rows for each in _of(row))])
    charsets = tuple((row.patterns, row.charset) for row in rows if row.charset)
    return Rules(rules.rules, charsets)


def _of(row: Hierarchy) -> Iterator[tuple[str, str, str, str]]:
    actions, heard = KINDS[row.kind]
    for message, action in zip(GROUP_MESSAGES, actions, strict=True):
        yield message, "*", row.patterns, action
    if heard:
        for message in GROUP_MESSAGES:
            yield message, row.senders, row.patterns, f"verify-{row.key}" if heard == "verify" else heard
