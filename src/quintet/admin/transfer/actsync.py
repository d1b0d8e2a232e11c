"""Our groups brought in line with another server's list of groups: what would change, and its doing.

A list is INN's active ("group high low status"), with descriptions from a list like newsgroups where there
is one.  Groups that exist only here stay unless the caller wants them gone.
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable, Sequence

from quintet.errors import Refused
from quintet.store import groups
from quintet.store.db import Tx
from quintet.store.model import Folder
from quintet.values import dataclass

MAX_LIST = 64 * 1024 * 1024  # bytes of a list, unpacked; 110,000 groups are 5 MB
MAX_NAMES = 500_000  # groups of one list
AT_ONCE = 200  # changes of one transaction

_LINE = re.compile(r"(\S+)[ \t]+\d+[ \t]+\d+[ \t]+([ynmxj]|=\S+)\s*\Z")
_LOCAL = re.compile(r"(?:control|junk|to)(?:\..*)?\Z")  # every server has its own


class BadList(ValueError):
    """It is no list of groups; the text says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """One group that differs."""

    action: str  # "create", "change", "remove"
    name: str
    status: str = ""  # that it shall have
    was: str = ""
    description: str = ""
    articles: int = 0  # that go with it


def unpack(data: bytes) -> bytes:
    """A list as it came, perhaps by gzip.  Raises BadList: damaged, or too large."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            text = file.read(MAX_LIST + 1)
    except (OSError, EOFError) as error:
        raise BadList(f"damaged: {error}") from error
    if len(text) > MAX_LIST:
        raise BadList(f"longer than {MAX_LIST} bytes")
    return text


def parse(data: bytes) -> dict[str, str]:
    """Status by name.  Raises BadList: a line is none, or there is nothing."""
    found: dict[str, str] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadList(f"line {number}: expected group, high, low and status: {line[:60]!r}")
        if not _LOCAL.fullmatch(match[1]):
            found[match[1]] = match[2]
        if len(found) > MAX_NAMES:
            raise BadList(f"more than {MAX_NAMES} groups")
    if not found:
        raise BadList("there is no group in it")
    return found


def parse_descriptions(data: bytes) -> dict[str, str]:
    """Description by name; lines that have none are passed over."""
    found = {}
    for line in data.decode("utf-8", "replace").splitlines():
        name, _, rest = line.partition("\t") if "\t" in line else line.partition(" ")
        if name and rest.strip():
            found[name] = rest.strip()
    return found


def plan(
    ours: Sequence[Folder],
    theirs: dict[str, str],
    described: dict[str, str],
    wanted: Callable[[str], bool],
    *,
    remove: bool = False,
) -> list[Change]:
    """What is to be done among the groups that are ``wanted``, by name.

    An alias for a group that would not be here, and a closed or local status of ours ("n", "x"), are left
    alone: an administrator meant that.
    """
    here = {
        folder.name: folder for folder in ours if wanted(folder.name) and not _LOCAL.fullmatch(folder.name)
    }
    chosen = {name: status for name, status in theirs.items() if wanted(name)}
    changes = []
    for name in sorted(chosen):
        status, folder = chosen[name], here.get(name)
        if status.startswith("=") and status[1:] not in chosen and status[1:] not in here:
            continue
        if folder is None:
            changes.append(Change("create", name, status, "", described.get(name, "")))
        elif folder.status != status and folder.status not in ("n", "x"):
            changes.append(Change("change", name, status, folder.status, described.get(name, "")))
    if remove:
        changes += [
            Change("remove", name, "", here[name].status, "", here[name].messages)
            for name in sorted(here.keys() - chosen.keys())
        ]
    return changes


def apply(tx: Tx, changes: Sequence[Change]) -> list[str]:
    """Does it; returns what could not be done, a sentence each."""
    failed = []
    for one in changes:
        folder = groups.find(tx, one.name)
        try:
            if one.action == "create" and folder is None:
                groups.create(tx, one.name, one.status, one.description, created_by="actsync")
            elif one.action == "change" and folder is not None:
                text = one.description or folder.description
                groups.change(tx, folder.id, status=one.status, description=text)
            elif one.action == "remove" and folder is not None:
                groups.remove(tx, folder.id)
        except Refused as refused:
            failed.append(f"{one.name}: {refused.text}")
    return failed
