"""Feeds that are no connections: a list in a file, whole articles in a batch file, a program's input.

Each is a `Link` that takes everything it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from quintet.clock import Clock
from quintet.config.peers import Peer
from quintet.delivery.feeds import batch
from quintet.delivery.feeds.link import Link, Most, Opener, Outgoing, Verdict
from quintet.errors import Hangup, Reason, TryLater

PROGRAM_S = 300.0  # for a program to take a batch


def opener(data: Path, clock: Clock) -> Opener:
    """For peers with ``output``; relative names are meant from the data directory."""

    async def open_output(peer: Peer) -> Link:
        kind, _, rest = peer.output.partition(":")
        if kind == "pipe":
            return Pipe(rest, peer.packing)
        return File(data / rest, whole=kind == "batch", packing=peer.packing)

    return open_output


class File:
    """Appends, and flushes a round before it counts as sent; the file may be moved away at any time."""

    streams = True
    most = Most()

    def __init__(self, path: Path, *, whole: bool, packing: str = "none") -> None:
        self._path, self._whole, self._packing = path, whole, packing

    async def round(
        self, articles: Sequence[Outgoing], offers: Sequence[str]
    ) -> tuple[list[Verdict], list[Verdict]]:
        if articles:
            if self._whole:
                data = await batch.made(articles, self._packing, labelled=False)
            else:
                data = b"".join([_line(one) for one in articles])
            try:
                await asyncio.to_thread(self._append, data)
            except OSError as error:
                raise TryLater(Reason.STORAGE, f"{self._path}: {error.strerror}") from error
        return [Verdict.TAKEN] * len(articles), [Verdict.WANTED] * len(offers)

    def _append(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)

    async def offer_one(self, article: Outgoing) -> Verdict:
        return (await self.round([article], []))[0][0]

    async def close(self) -> None:
        return


class Pipe:
    """Starts a program for each round, gives it the articles as a batch, and believes its exit status."""

    streams = True
    most = Most()

    def __init__(self, command: str, packing: str = "none") -> None:
        self._command, self._packing = command, packing

    async def round(
        self, articles: Sequence[Outgoing], offers: Sequence[str]
    ) -> tuple[list[Verdict], list[Verdict]]:
        data = await batch.made(articles, self._packing, labelled=True)
        if data:
            process = await asyncio.create_subprocess_shell(
                self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(PROGRAM_S):
                    await process.communicate(data)
            except TimeoutError as error:
                raise Hangup(Reason.TIMEOUT, "the program does not end") from error
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(process.pid, signal.SIGKILL)  # the shell, and what it started
                    await process.wait()
            if process.returncode:
                raise TryLater(Reason.BUSY, f"the program ended with status {process.returncode}")
        return [Verdict.TAKEN] * len(articles), [Verdict.WANTED] * len(offers)

    async def offer_one(self, article: Outgoing) -> Verdict:
        return (await self.round([article], []))[0][0]

    async def close(self) -> None:
        return


def _line(article: Outgoing) -> bytes:
    return f"{article.message_id} {article.body.size}\n".encode()
