"""INN's files, read and written: active, newsgroups, active.times, history, and articles of tradspool.

Pure but for the names of files.  A history line names an article by a token; tradspool's has the number of
the group in ``tradspool.map`` and the article's own.  INN keys its history by the MD5 of the Message-ID with
the domain in lower case, so from a line alone no Message-ID can be told: articles tell theirs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from quintet.values import dataclass

TRADSPOOL = 5  # the kind of storage in a token
MAX_ARTICLE = 256 * 1024 * 1024  # bytes of a file that is read as an article

_TOKEN = re.compile(rb"@([0-9A-Fa-f]{36})@")
_HASH = re.compile(r"[0-9A-Fa-f]{32}")
_XREF = re.compile(r"([^\s:]+):(\d{1,16})")
_STATUS = re.compile(r"[ynmxj]|=\S+")


@dataclass(frozen=True, slots=True)
class Group:
    """A line of active, with what newsgroups and active.times say."""

    name: str
    high: int
    low: int
    status: str
    description: str = ""
    created_at: int = 0  # s
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of history."""

    hashed: str
    arrived_at: int  # s
    token: bytes  # 18 octets; b"" for an article that is gone
    offset: int  # of the line behind it in the file


def groups(db: Path) -> list[Group]:
    """All groups, in the order of active.

    Raises OSError; ValueError: a line of active that cannot be read.
    """
    described = dict(_descriptions(db / "newsgroups"))
    born = {fields[0]: fields[1:] for fields in _fields(db / "active.times") if len(fields) >= 2}
    found = []
    for number, text in enumerate(_text(db / "active").splitlines(), 1):
        fields = text.split()
        if len(fields) != 4 or not fields[1].isdigit() or not fields[2].isdigit():
            raise ValueError(f"{db / 'active'}:{number}: expected group, high, low and status")
        name, high, low, status = fields
        if not _STATUS.fullmatch(status):
            raise ValueError(f"{db / 'active'}:{number}: no such status: {status}")
        when, *who = born.get(name, ["0"])
        found.append(
            Group(
                name, int(high), int(low), status, described.get(name, ""),
                int(when) if when.isdigit() else 0, who[0] if who else "",
            )
        )  # fmt: skip
    return found


def _descriptions(path: Path) -> Iterator[tuple[str, str]]:
    for text in _text(path, missing="").splitlines():
        name, _, rest = text.partition("\t")
        if rest.strip():
            yield name.strip(), rest.strip()


def _fields(path: Path) -> Iterator[list[str]]:
    for text in _text(path, missing="").splitlines():
        if text.strip():
            yield text.split()


def _text(path: Path, missing: str | None = None) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        if missing is None:
            raise
        return missing


def history(path: Path, offset: int = 0) -> Iterator[Line]:
    """The lines of history from an offset on, as they stand: in the order of arrival.  Raises OSError.

    What is no line of history is passed over.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for raw in file:
            offset += len(raw)
            fields = raw.rstrip(b"\n").split(b"\t")
            arrived = fields[1].split(b"~")[0] if len(fields) > 1 else b""
            if len(fields) < 2 or not arrived.isdigit():
                continue
            match = _TOKEN.search(fields[2]) if len(fields) > 2 else None
            token = bytes.fromhex(match[1].decode()) if match else b""
            yield Line(fields[0].decode("latin-1").strip("[]"), int(arrived), token, offset)


def spool_map(path: Path) -> dict[int, str]:
    """Group names by their number in tokens.  Raises OSError."""
    found = {}
    for fields in _fields(path):
        if len(fields) == 2 and fields[1].isdigit():
            found[int(fields[1])] = fields[0].replace("/", ".")
    return found


def place_of(token: bytes, names: Mapping[int, str]) -> tuple[str, int] | None:
    """Group and number of the article in tradspool; None for other storage, or a group that is unknown."""
    if len(token) != 18 or token[0] != TRADSPOOL:
        return None
    name = names.get(int.from_bytes(token[2:6]))
    return None if name is None else (name, int.from_bytes(token[6:14]))


def token_of(group_number: int, number: int) -> str:
    """The token of an article in tradspool, class 0."""
    return f"@{TRADSPOOL:02X}00{group_number:08X}{number:016X}{0:08X}@"


def file_of(articles: Path, group: str, number: int) -> Path:
    """Where tradspool has it."""
    return articles.joinpath(*group.split("."), str(number))


def is_hash(text: str) -> bool:
    """Whether it may be the key of a line of history."""
    return _HASH.fullmatch(text) is not None


def hashed(message_id: str) -> str:
    """The key of history: MD5 in hexadecimal, of the id with what follows the "@" in lower case."""
    left, at, right = message_id.rpartition("@")
    return hashlib.md5(f"{left}{at}{right.lower()}".encode(), usedforsecurity=False).hexdigest().upper()


def history_line(
    hashed_id: str, arrived_s: int, token: str = "", expires_s: int = 0, posted_s: int = 0
) -> str:
    """A line of what `hashed` gives; without a token the id alone is remembered."""
    dates = f"{arrived_s}~{expires_s or '-'}~{posted_s or arrived_s}"
    return f"[{hashed_id}]\t{dates}" + (f"\t{token}\n" if token else "\n")


def active_line(group: Group) -> str:
    return f"{group.name} {group.high:010d} {group.low:010d} {group.status}\n"


# --- articles ---------------------------------------------------------------------------------------


def read_article(data: bytes) -> bytes:
    """An article of tradspool as it travels, un-stuffed: wire format or not."""
    if data.endswith(b"\r\n.\r\n"):
        data = data[:-3].replace(b"\r\n..", b"\r\n.")
        return data[1:] if data.startswith(b"..") else data
    if b"\r\n" in data[:1024]:
        return data
    return data.replace(b"\n", b"\r\n")


def write_article(data: bytes) -> bytes:
    """In wire format (inn.conf: wireformat, the default)."""
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    data = data.replace(b"\r\n.", b"\r\n..")
    return (b"." + data if data.startswith(b".") else data) + b".\r\n"


def xref_places(value: str) -> list[tuple[str, int]]:
    """Groups and numbers of an Xref."""
    return [(name, int(number)) for name, number in _XREF.findall(value.partition(" ")[2])]
