"""Mail appended to a file of batch SMTP: `via = "batch"`, for links that carry files (RFC 2442).

A transaction is there whole or not at all: it is written under a lock, flushed to disk before it counts, and
cut off again when that fails; what a crash left half-written is cut off by the next writer.  Who takes the
file renames it first: a writer that waited for the lock then begins a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar, cast

from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import Mailbox
from quintet.delivery.transport import Answer, Following, Hop, Letter, Result, To
from quintet.errors import Reason, TryLater
from quintet.net import dots
from quintet.net.seam import CHUNK
from quintet.smtp import parameters

END = b"\r\n.\r\n"  # of every transaction: nothing else in a file ends so, as dots are stuffed
LOCK_S = 10.0  # how long another writer may take
LOOK_S = 0.05  # between two tries to lock
MODE = 0o600

T = TypeVar("T")


class BatchLink:
    """Implements `delivery.transport.Link`: one file, opened anew for each message."""

    usable = True

    def __init__(self, hop: Hop, helo: str) -> None:
        self._path, self._address, self._helo = Path(hop.path), hop.address, hop.helo or helo

    @property
    def address(self) -> str:
        return self._address

    async def close(self) -> None:
        return

    async def send(
        self, letter: Letter, recipients: Sequence[To], following: Following | None = None
    ) -> list[Answer]:
        """See `delivery.transport.Link`.  Raises TryLater(STORAGE, LOCKED): nothing was written."""
        if letter.wishes.binary:
            answer = Answer(Result.NEVER, "5.6.3", "binary mail cannot be put into a batch file")
            return [answer] * len(recipients)
        by = letter.wishes.by
        if by is not None and by.mode == "R":  # RFC 2852 4.1.5: a file promises nothing
            answer = Answer(Result.NEVER, "5.3.3", "a batch file promises no delivery by a time")
            return [answer] * len(recipients)
        head = self._head(letter, recipients).encode()
        await letter.turn()
        try:
            await self._append(head, letter)
        except OSError as error:
            raise TryLater(Reason.STORAGE, f"{self._path}: {error.strerror or error}") from error
        done = Answer(Result.DONE, "2.0.0", f"appended to {self._path}", passed_on=True)
        return [done] * len(recipients)

    def _head(self, letter: Letter, recipients: Sequence[To]) -> str:
        """The envelope, with everything asked for: who reads it is one of us, or says so in its report."""
        utf8 = letter.utf8_header or not all(
            each.ascii for each in (letter.sender, *(one.address for one in recipients))
        )
        words = " BODY=8BITMIME" if letter.eight_bit else ""
        words += " SMTPUTF8" if utf8 else ""
        wishes = letter.wishes
        words += f" RET={wishes.ret.upper()}" if wishes.ret else ""
        words += f" ENVID={parameters.xtext(wishes.envid).decode()}" if wishes.envid else ""
        lines = [f"EHLO {self._helo}", f"MAIL FROM:<{_path(letter.sender, utf8)}>{words}"]
        for one in recipients:
            notify = f" NOTIFY={','.join(one.notify).upper()}" if one.notify else ""
            orcpt = f" ORCPT={parameters.orcpt_value(one.orcpt, utf8=utf8).decode()}" if one.orcpt else ""
            lines.append(f"RCPT TO:<{_path(one.address, utf8)}>{notify}{orcpt}")
        return "\r\n".join((*lines, "DATA", ""))

    async def _append(self, head: bytes, letter: Letter) -> None:
        file = await self._locked()
        try:
            start = await _in_thread(_whole_end, file)
            try:
                await _in_thread(_write, file, head)
                writer = dots.Writer(letter.body.dotless)
                # cast: the seam promises an iterator, which may have no aclose; stores give generators
                async with aclosing(cast("Any", letter.body.chunks(0, letter.body.size))) as pieces:
                    async for piece in pieces:
                        await _in_thread(_write, file, writer.feed(piece))
                await _in_thread(_write, file, writer.finish())
                await _in_thread(os.fsync, file)
                if not start:
                    await asyncio.to_thread(_flush_folder, self._path.parent)
            except BaseException:
                os.ftruncate(file, start)
                raise
        finally:
            os.close(file)

    async def _locked(self) -> int:
        """The file that has our name, under lock.  Raises OSError, TryLater(LOCKED)."""
        for _ in range(round(LOCK_S / LOOK_S)):
            file = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, MODE
            )
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                await asyncio.sleep(LOOK_S)
                continue
            except BaseException:  # a file system that knows no locks
                os.close(file)
                raise
            if _still(file, self._path):
                return file
            os.close(file)  # renamed meanwhile: the name means another file now
        raise TryLater(Reason.LOCKED, f"{self._path} is locked by another")


async def _in_thread(work: Callable[..., T], *args: object) -> T:
    """In a thread, and to its end for who is cancelled too: the file must not be closed under it.

    A number that is closed is soon another file's.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args))
    cancelled = False
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        running.exception()
        raise asyncio.CancelledError
    return running.result()


def _path(address: Mailbox, utf8: bool) -> str:
    return (
        str(address) if utf8 or address.ascii else str(Mailbox(address.local, ascii_domain(address.domain)))
    )


def _still(file: int, path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file), os.stat(path))
    return False


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _flush_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _whole_end(file: int) -> int:
    """Where the last whole transaction ends; what lies behind it, a crash left there, and it is cut off.

    Raises OSError for a file that is none of ours.
    """
    size = os.fstat(file).st_size
    if not size:
        return 0
    start = os.pread(file, 5, 0).upper()
    if start not in (b"EHLO ", b"HELO ") and not b"EHLO ".startswith(start):
        raise OSError("there is a file that is no batch SMTP")
    if os.pread(file, len(END), max(size - len(END), 0)) == END:
        return size
    at = size
    while at > 0:
        begin = max(at - CHUNK, 0)
        found = os.pread(file, at - begin + len(END) - 1, begin).rfind(END)
        if found >= 0:
            at = begin + found + len(END)
            break
        at = begin
    os.ftruncate(file, at)
    os.fsync(file)
    return at
