"""The named properties that everybody knows: PidLidLocation, PidNameKeywords, dispidLocation.

Read from the list beside this file when first asked.  Which number a store gives a name is its own business.
"""

from __future__ import annotations

import functools
import uuid
from importlib import resources

from quintet.mapi import guids
from quintet.mapi.bag import NamedTag


@functools.cache
def _by_name() -> dict[str, NamedTag]:
    found: dict[str, NamedTag] = {}
    for line in resources.files("quintet.mapi").joinpath("named.tsv").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        group, number, kind, *names = line.split("\t")
        name = int(number, 16) if number.startswith("0x") else number
        for each in names:
            found[each] = NamedTag(guids.SETS[group], name, int(kind, 16))
    return found


@functools.cache
def _by_key() -> dict[tuple[uuid.UUID, int | str], str]:
    """Canonical names, which come first of several."""
    found: dict[tuple[uuid.UUID, int | str], str] = {}
    for name, key in _by_name().items():
        found.setdefault((key.guid, key.name), name)
    return found


def key(name: str) -> NamedTag:
    """What stands for a property in a bag.  Raises KeyError: nobody calls a property so."""
    return _by_name()[name]


def name(guid: uuid.UUID, name: int | str) -> str | None:
    """The canonical name of what has this name or number in its set; None for one that nobody knows."""
    return _by_key().get((guid, name))


def names() -> dict[str, NamedTag]:
    """Every name with its key."""
    return dict(_by_name())
