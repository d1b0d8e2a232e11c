"""The names of properties: canonical ones (PidTagSubject) and those of the C headers (PR_SUBJECT).

Read from the list beside this file when first asked; nobody who does not speak MAPI holds it.
"""

from __future__ import annotations

import functools
from importlib import resources

from quintet.mapi import types
from quintet.mapi.types import Tag


@functools.cache
def _by_name() -> dict[str, Tag]:
    found: dict[str, Tag] = {}
    for line in resources.files("quintet.mapi").joinpath("tags.tsv").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        tag, canonical, others = line.split("\t")
        for name in (*canonical.split(","), *others.split(",")):
            # a name of the headers may stand for a text in either width: it then means the wider one
            if name and types.type_of(found.get(name, 0)) & 0xFFF != types.STRING:
                found[name] = int(tag, 16)
    return found


@functools.cache
def _by_tag() -> dict[Tag, str]:
    found: dict[Tag, str] = {}
    for name, tag in _by_name().items():
        if name.startswith("PidTag"):
            found.setdefault(tag, name)
    return found


def tag(name: str) -> Tag:
    """The tag of a property.  Raises KeyError: nobody calls a property so."""
    return _by_name()[name]


def name(tag: Tag) -> str:
    """The canonical name, or the tag in hexadecimal; 8-bit text goes by the name of its wide form."""
    kind = types.type_of(tag)
    if kind & 0xFFF == types.STRING8:
        tag += types.STRING - types.STRING8
    return _by_tag().get(tag, f"0x{tag:08X}")


def names() -> dict[str, Tag]:
    """Every name with its tag."""
    return dict(_by_name())
