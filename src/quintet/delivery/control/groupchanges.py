"""What newgroup, rmgroup and checkgroups ask to be changed, read from their bodies; pure.

RFC 5537 5.2.1 (newgroup, and its body application/news-groupinfo), 5.2.2 (rmgroup), 5.2.3 (checkgroups, and
its body application/news-checkgroups).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from quintet.message import headers, transfer
from quintet.message.digest import Digest, Part
from quintet.values import dataclass

MAX_LISTED = 50_000  # groups of one checkgroups; the Big Eight have 2,500
MAX_DESCRIPTION = 300  # characters; a line of LIST NEWSGROUPS holds 512 octets
MAX_SCOPES = 100

_NAME = re.compile(r"[^\x00-\x20.*,?!\[\]\\:/\x7f]+(?:\.[^\x00-\x20.*,?!\[\]\\:/\x7f]+)*")
_MARK = re.compile(r"[ \t]*\(moderated\)[ \t]*$", re.IGNORECASE)  # RFC 3977 7.6.6
_FOR_FILE = "for your newsgroups file:"
RESERVED = frozenset(("all", "control", "ctl", "general", "junk", "poster", "test", "to"))
RESERVED_TREES = frozenset(("control", "example", "to"))  # RFC 5536 3.1.4


@dataclass(frozen=True, slots=True)
class Change:
    """One group that should become what it says."""

    verb: str  # "make", "status", "describe", "remove"
    group: str
    moderated: bool = False
    description: str = ""

    def __str__(self) -> str:
        words = {"make": "new", "status": "change", "describe": "describe", "remove": "remove"}
        end = " (moderated)" if self.moderated and self.verb in ("make", "status") else ""
        return f"{words[self.verb]} {self.group}{end}" + (f": {self.description}" if self.description else "")


@dataclass(frozen=True, slots=True)
class Here:
    """A group as it is."""

    status: str
    description: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a checkgroups."""

    group: str
    description: str
    moderated: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What a checkgroups speaks of (RFC 5537 5.2.3): names and trees, and those that are taken out."""

    within: tuple[str, ...]
    without: tuple[str, ...] = ()
    serial: int = 0

    def __contains__(self, group: str) -> bool:
        """The longest name that fits decides."""
        best, inside = -1, False
        for names, says in ((self.within, True), (self.without, False)):
            for name in names:
                if (group == name or group.startswith(name + ".")) and len(name) > best:
                    best, inside = len(name), says
        return inside


def is_name(group: str) -> bool:
    """RFC 5536 3.1.4: a name that a group made by a stranger's wish may have."""
    return (
        len(group.encode()) <= 460
        and _NAME.fullmatch(group) is not None
        and group not in RESERVED
        and group.partition(".")[0] not in RESERVED_TREES
    )


def newgroup(arguments: Sequence[str], lines: Iterable[Listed], here: Mapping[str, Here]) -> list[Change]:
    """What a newgroup changes; nothing for a name that cannot be.

    A second word other than "moderated" means nothing (RFC 5537 5.2.1).
    """
    if not arguments or not is_name(arguments[0]):
        return []
    group, moderated = arguments[0], "moderated" in [word.lower() for word in arguments[1:]]
    description = next((one.description for one in lines if one.group == group), "")
    return _become(group, moderated, description, here.get(group))


def _become(group: str, moderated: bool, description: str, now: Here | None) -> list[Change]:
    if now is None:
        return [Change("make", group, moderated, description)]
    found = []
    if now.status in ("y", "m") and (now.status == "m") is not moderated:  # what was set by hand stays
        found.append(Change("status", group, moderated))
    if description and description != now.description:
        found.append(Change("describe", group, moderated, description))
    return found


def rmgroup(arguments: Sequence[str], here: Mapping[str, Here]) -> list[Change]:
    group = arguments[0] if arguments else ""
    return [Change("remove", group)] if group in here and is_name(group) else []


def scope(arguments: Sequence[str], listed: Sequence[Listed]) -> Scope:
    """From the arguments of checkgroups; without names the hierarchies of the groups that it lists."""
    within, without, serial = [], [], 0
    for word in arguments[:MAX_SCOPES]:
        if re.fullmatch(r"#\d{1,18}", word):
            serial = int(word[1:])
        elif word.startswith("!") and _NAME.fullmatch(word[1:]):
            without.append(word[1:])
        elif _NAME.fullmatch(word):
            within.append(word)
    if not within:
        within = sorted({one.group.partition(".")[0] for one in listed})
    return Scope(tuple(within), tuple(without), serial)


def checkgroups(listed: Sequence[Listed], here: Mapping[str, Here], of: Scope) -> list[Change]:
    """What has to change so that the groups in a scope are those listed."""
    wanted = {one.group: one for one in listed if one.group in of and is_name(one.group)}
    found: list[Change] = []
    for name, one in wanted.items():
        found += _become(name, one.moderated, one.description, here.get(name))
    if wanted:  # an empty list is a broken message, not the end of a hierarchy
        gone = [name for name in here if name in of and name not in wanted and is_name(name)]
        found += [Change("remove", name) for name in sorted(gone)]
    return found


# --- bodies -----------------------------------------------------------------------------------------------


def lines_of(digest: Digest, blob: bytes, kind: str, charset: Callable[[str], str]) -> list[Listed]:
    """The lines "group TAB description" of a message: of its part application/``kind``, else of its text.

    A newgroup of old says them in its text, behind "For your newsgroups file:".  ``charset`` tells for a
    group in what its description is, where the part does not say.
    """
    part = _part(digest.root, kind)
    plain = part is None
    if part is None:
        part = _part(digest.root, "plain") or digest.root
    raw = transfer.decode(part.encoding, blob[part.body_start : part.end])
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    if plain and kind == "news-groupinfo":
        lines = _after_the_word(lines)
    stated = part.param("charset") or ""
    found = []
    for line in lines[:MAX_LISTED]:
        name, _, rest = line.strip().replace(b"\t", b" ", 1).partition(b" ")
        group = name.decode("utf-8", "replace")
        if _NAME.fullmatch(group) and (rest or not plain or kind == "news-checkgroups"):
            text = _text(rest.strip(), stated or charset(group))
            found.append(Listed(group, _MARK.sub("", text)[:MAX_DESCRIPTION], bool(_MARK.search(text))))
    return found


def _part(part: Part, subtype: str) -> Part | None:
    if part.subtype == subtype and part.type in ("application", "text"):
        return part
    return next((found for child in part.children if (found := _part(child, subtype)) is not None), None)


def _after_the_word(lines: list[bytes]) -> list[bytes]:
    for at, line in enumerate(lines):
        if line.strip().lower() == _FOR_FILE.encode():
            return lines[at + 1 : at + 2]
    return []


def _text(raw: bytes, charset: str) -> str:
    """UTF-8 where it is that, else as told, else Windows' Latin-1; without what breaks a line."""
    for name in ("utf-8", charset, "cp1252"):
        codec = headers.codec_name(name) if name else None
        if codec is None:
            continue
        try:
            text = raw.decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
        break
    else:
        text = raw.decode("latin-1")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
