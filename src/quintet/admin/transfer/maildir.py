"""Maildir and Maildir++ trees: a file a message, flags in the name, folders as ".Name.Sub"."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from quintet.admin.transfer.incoming import CHUNK, Crlf, Incoming
from quintet.errors import BadSyntax
from quintet.imap import utf7
from quintet.store.model import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

_LETTERS = {"S": SEEN, "R": ANSWERED, "F": FLAGGED, "T": DELETED, "D": DRAFT}
_PASSED = "$Forwarded"
_SECONDS = re.compile(r"(\d{9,11})\.")


def folders(root: Path) -> list[tuple[Path, str]]:
    """The Maildirs of a tree with our names for them; the root is the INBOX.

    Raises:
        ValueError: ``root`` is no Maildir.
    """
    if not (root / "cur").is_dir():
        raise ValueError(f"{root}: not a Maildir, it has no folder 'cur'")
    subs = [path for path in sorted(root.iterdir()) if path.name.startswith(".") and (path / "cur").is_dir()]
    return [(root, "INBOX"), *((path, folder_name(path.name)) for path in subs)]


def folder_name(name: str) -> str:
    """``.Work.Caf&AOk-`` is Work/Café; UTF-8 names are taken as well."""
    text = name.removeprefix(".").replace(".", "/")
    try:
        return utf7.decode(text.encode("ascii"))
    except (BadSyntax, UnicodeEncodeError):
        return text


def directory_name(folder: str) -> str:
    """Our folder's name as Maildir++ writes it; dots inside a level become underscores."""
    if folder == "INBOX":
        return ""
    return "." + utf7.encode(folder.replace(".", "_")).decode("ascii").replace("/", ".")


def read(root: Path, step: Callable[[int], None] = lambda _: None) -> Iterator[Incoming]:
    """The messages of a tree, folder by folder, oldest first; ``step`` is told each message.

    Raises ValueError as `folders`, OSError.
    """
    for path, folder in folders(root):
        words = _keywords(path)
        names = [
            (entry.name, sub) for sub in ("cur", "new") for entry in os.scandir(path / sub) if entry.is_file()
        ]
        names.sort()
        for name, sub in names:
            flags, keywords = flags_of(name, words)
            received_at = _received(path / sub / name)
            yield Incoming(
                str(path / sub / name), folder, _chunks(path / sub / name), received_at, flags, keywords
            )
            step(1)


def _keywords(path: Path) -> dict[str, str]:
    """Dovecot's letters for keywords: lines of number and name, 0 is "a"."""
    try:
        lines = (path / "dovecot-keywords").read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = [line.split(" ", 1) for line in lines]
    return {
        chr(ord("a") + int(p[0])): p[1] for p in pairs if len(p) == 2 and p[0].isdigit() and int(p[0]) < 26
    }


def flags_of(name: str, words: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    """Flags and keywords by the end of a file name, ":2,FRS"."""
    letters = name.rpartition(":2,")[2] if ":2," in name else ""
    flags = 0
    keywords: list[str] = []
    for letter in letters:
        flags |= _LETTERS.get(letter, 0)
        if letter == "P":
            keywords.append(_PASSED)
        elif letter in words:
            keywords.append(words[letter])
    return flags, tuple(keywords)


def _received(path: Path) -> int:
    found = _SECONDS.match(path.name)
    return int(found[1]) * 1000 if found else int(path.stat().st_mtime * 1000)


def _chunks(path: Path) -> Iterator[bytes]:
    crlf = Crlf()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield crlf.feed(chunk)
    if rest := crlf.finish():
        yield rest


def single(
    paths: list[Path], folder: str, step: Callable[[int], None] = lambda _: None
) -> Iterator[Incoming]:
    """Files that are one message each (.eml), and such files below folders."""
    for path in paths:
        found = sorted(path.rglob("*.eml")) if path.is_dir() else [path]
        for each in found:
            yield Incoming(str(each), folder, _chunks(each), int(each.stat().st_mtime * 1000))
            step(1)


# --- out ------------------------------------------------------------------------------------------


def file_name(received_at: int, uid_validity: int, uid: int, flags: int, keywords: tuple[str, ...]) -> str:
    """The same for the same message, so that an export that is run again goes on."""
    letters = [letter for letter, bit in _LETTERS.items() if flags & bit]
    if _PASSED.lower() in (word.lower() for word in keywords):
        letters.append("P")
    return f"{received_at // 1000}.V{uid_validity}U{uid}.quintet:2,{''.join(sorted(letters))}"
