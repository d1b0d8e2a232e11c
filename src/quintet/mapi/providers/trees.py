"""Folders that are files or directories below one root, locked as mail programs do (MBOX, MH)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.providers import identity, mailboxes
from quintet.mapi.providers.base import Can, Opened, Option, Special
from quintet.mapi.providers.mailboxes import Mailboxes, Place
from quintet.mapi.providers.mailstore import MailStore

WAITS_S = (0.02, 0.05, 0.1, 0.2, *[0.25] * 18, 0.0)  # between tries to lock


class Tree(Mailboxes):
    """Folders below a directory.  ``inbox``: the path of the Inbox there."""

    can = Can.SAVE | Can.FOLDERS | Can.READ_MARKS

    def __init__(self, root: Path, inbox: str) -> None:
        self._root, self._inbox = root, inbox

    def _at(self, path: str) -> Path:
        if any(part in ("", ".", "..") or part.startswith(".") for part in path.split("/")):
            raise MapiError(Code.INVALID_PARAMETER, "a name that a file cannot have")
        return self._root / path

    def _place(self, path: Path) -> Place:
        name = path.relative_to(self._root).as_posix()
        return Place(name, Special.INBOX if name == self._inbox else mailboxes.special_of(name))

    def _locked(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """The file that tells what is in a folder, to read and to write; other programs wait meanwhile.

        Raises MapiError(NOT_FOUND, SERVER_BUSY): another program holds its lock.
        """
        return locked(self._at(path))

    def rename(self, path: str, new: str) -> None:
        if path == self._inbox:
            raise MapiError(Code.ACCESS_DENIED, "the Inbox keeps its name")
        self._at(new).parent.mkdir(parents=True, exist_ok=True)
        self._at(path).rename(self._at(new))


@contextmanager
def locked(where: Path) -> Iterator[IO[bytes]]:
    """A file, locked in both manners that programs of mailboxes have: a file beside it, and `lockf`."""
    beside = where.with_name(f"{where.name}.lock")
    for wait_s in WAITS_S:
        with ExitStack() as stack:
            file = _lock(where, beside, stack)
            if file is not None:
                yield file
                return
        time.sleep(wait_s)
    raise MapiError(Code.SERVER_BUSY, f"another program holds the mailbox's lock: {beside}")


def _lock(where: Path, beside: Path, stack: ExitStack) -> IO[bytes] | None:
    """None: another program has it."""
    try:
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        stack.callback(beside.unlink, missing_ok=True)
    except FileExistsError:
        return None
    except PermissionError:  # nothing may be made in that directory; so nobody else does
        pass
    try:
        file = stack.enter_context(where.open("r+b"))
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        raise MapiError(Code.NOT_FOUND) from None
    except BlockingIOError:
        return None
    same = os.path.samestat(os.fstat(file.fileno()), os.stat(where))
    return file if same else None  # else another put a new one there


def opened(kind: str, make: Callable[[Path, str], Tree], options: Mapping[str, str]) -> Opened:
    root = Path(options["path"]).expanduser()
    inbox = options["inbox"]
    boxes = make(root, inbox)
    if not (root / inbox).exists():
        if options["create"] != "yes":
            raise MapiError(Code.NOT_FOUND, f"no {inbox} in {root}: create=yes makes one")
        root.mkdir(parents=True, exist_ok=True)
        boxes.make(inbox)
    store = MailStore(options["name"] or root.name, f"{kind}:{root.resolve()}", boxes)
    return Opened(store=store, identity=identity.of(options["address"], options["name"]))


OPTIONS = (
    Option("path", "the directory that holds the folders"),
    Option("inbox", "which of them is the Inbox", "inbox"),
    Option("create", "yes: make it where there is none", "no"),
    Option("address", "whose mail it is", ""),
    Option("name", "how the store is called; empty: as the directory", ""),
)
