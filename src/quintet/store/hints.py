"""Hints: who waits for which folder, and how a process wakes the waiters of another.

A hint carries no data: it says "look", and the store tells what changed.  So a lost or doubled hint does
no harm, and there is no overflow.  Between processes it travels as a datagram to the sockets in
``run/``; `Hub.slow_poll` covers what was lost.
"""

from __future__ import annotations

import array
import asyncio
import collections
import errno
import os
import socket
from collections.abc import Collection, Iterable
from pathlib import Path

from quintet.store.model import AccountId, FolderId

MAX_DATAGRAM = 32 * 1024  # bytes; a longer hint becomes "everything"
GATHER_S = 0.005  # seconds between datagrams; each wakes another process, whether or not anybody there waits
PREFIX = "hint."
TOGETHER = 64  # waiters woken in one turn of the loop; each then does some 50 us of work

Hints = set[tuple[AccountId, FolderId]]


class Watch:
    """Wakes one session.  ``folders`` None: everything in ``account`` (or, without one, everywhere).

    With a set as ``dirty``, the folders that are to be looked at are put there; ``missed``: perhaps not all.
    """

    __slots__ = ("_hub", "account", "dirty", "event", "folders", "missed")

    def __init__(
        self, hub: Hub, event: asyncio.Event, folders: set[FolderId] | None, account: AccountId | None
    ) -> None:
        self._hub = hub
        self.event = event
        self.folders = folders
        self.account = account
        self.dirty: set[FolderId] | None = None
        self.missed = False

    def wake(self, folder: FolderId | None = None) -> None:
        """Something happened in ``folder``, or perhaps anywhere."""
        if self.dirty is not None:
            if folder is None:
                self.missed = True
            else:
                self.dirty.add(folder)
        self.event.set()

    def add(self, folder: FolderId) -> None:
        if self.folders is not None and folder not in self.folders:
            self.folders.add(folder)
            self._hub.by_folder.setdefault(folder, set()).add(self)

    def remove(self, folder: FolderId) -> None:
        if self.folders is not None and folder in self.folders:
            self.folders.discard(folder)
            self._hub.forget(folder, self)

    def close(self) -> None:
        """May be called twice."""
        for folder in list(self.folders or ()):
            self._hub.forget(folder, self)
        if self.folders is None:
            self._hub.forget_broad(self)
        else:
            self.folders.clear()


class Hub:
    """All watches of a process, and its socket."""

    def __init__(self, run: Path | None) -> None:
        self.by_folder: dict[FolderId, set[Watch]] = {}
        self.broad: dict[AccountId | None, set[Watch]] = {}  # watches of a whole account, or of everything
        self._run = run
        self._socket: socket.socket | None = None
        self._name = ""
        self._peers: list[str] = []
        self._peers_of = 0  # mtime of the folder when it was listed, ns
        self._modseqs: dict[FolderId, int] = {}
        self._gathered: Hints = set()  # not yet told to the other processes
        self._sending: asyncio.TimerHandle | None = None  # will tell them
        self._sent_at = 0.0  # loop time

    def watch(
        self, event: asyncio.Event, folders: Iterable[FolderId] | None, account: AccountId | None
    ) -> Watch:
        watch = Watch(self, event, None if folders is None else set(), account)
        if folders is None:
            self.broad.setdefault(account, set()).add(watch)
        else:
            for folder in folders:
                watch.add(folder)
        return watch

    def forget(self, folder: FolderId, watch: Watch) -> None:
        if watches := self.by_folder.get(folder):
            watches.discard(watch)
            if not watches:
                del self.by_folder[folder]

    def forget_broad(self, watch: Watch) -> None:
        if watches := self.broad.get(watch.account):
            watches.discard(watch)
            if not watches:
                del self.broad[watch.account]

    def publish(self, hints: Hints) -> None:
        """After a commit: wakes our own waiters and tells the other processes, at once if they had rest."""
        self.wake(hints)
        if self._socket is None or not (self._sending or self._others()):
            return
        self._gathered |= hints
        if self._sending is None:
            loop = asyncio.get_running_loop()
            due = self._sent_at + GATHER_S
            if due <= loop.time():
                self._send_gathered()
            else:
                self._sending = loop.call_at(due, self._send_gathered)

    def _send_gathered(self) -> None:
        gathered, self._gathered, self._sending = self._gathered, set(), None
        if gathered and self._socket is not None:
            self._sent_at = asyncio.get_running_loop().time()
            self._send(gathered)

    def wake(self, hints: Iterable[tuple[int, int]]) -> None:
        for account, folder in hints:
            for watches in (
                self.by_folder.get(FolderId(folder)),
                self.broad.get(AccountId(account)),
                self.broad.get(None),
            ):
                if watches:
                    _wake(watches, FolderId(folder))

    def wake_all(self) -> None:
        for watches in (*self.by_folder.values(), *self.broad.values()):
            _wake(watches, None)

    def compare(self, modseqs: dict[FolderId, int]) -> None:
        """The slow poll's answer: wakes the watchers of folders that moved since the last one."""
        old = self._modseqs
        for folder, modseq in modseqs.items():
            if old.get(folder, modseq) != modseq:
                _wake(self.by_folder.get(folder, ()), folder)
        for watches in self.broad.values():
            for watch in watches:
                if watch.dirty is not None:  # it alone knows what it knew
                    watch.wake()
        self._modseqs = modseqs

    # other processes

    def listen(self) -> None:
        """Binds our datagram socket in ``run/`` and listens on the running loop."""
        assert self._run is not None
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._name = f"{PREFIX}{os.getpid()}.{os.urandom(4).hex()}"
        path = self._run / self._name
        # a socket's path is limited to about 100 bytes: name it through its folder
        folder = os.open(self._run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            own.bind(f"/proc/self/fd/{folder}/{self._name}" if len(str(path)) > 100 else str(path))
        except OSError:
            own.close()
            os.close(folder)
            raise
        self._folder = folder
        self._socket = own
        asyncio.get_running_loop().add_reader(own, self._receive)

    def close(self) -> None:
        if self._socket is not None and self._run is not None:
            if self._sending is not None:
                self._sending.cancel()
                self._send_gathered()
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            (self._run / self._name).unlink(missing_ok=True)
            os.close(self._folder)

    def _send(self, hints: Hints) -> None:
        peers = self._others()
        if not peers:
            return
        packed = array.array("q", [number for hint in hints for number in hint]).tobytes()
        if len(packed) > MAX_DATAGRAM:
            packed = b""
        assert self._socket is not None
        assert self._run is not None
        for name in peers:
            path = str(self._run / name)
            if len(path) > 100:
                path = f"/proc/self/fd/{self._folder}/{name}"
            try:
                self._socket.sendto(packed, path)
            except OSError as error:
                # full: it will wake anyway, and the slow poll covers the rest; gone: its process died
                if error.errno == errno.ECONNREFUSED:
                    (self._run / name).unlink(missing_ok=True)

    def _others(self) -> list[str]:
        assert self._run is not None
        changed = self._run.stat().st_mtime_ns
        if changed != self._peers_of:
            self._peers = [n for n in os.listdir(self._run) if n.startswith(PREFIX) and n != self._name]
            self._peers_of = changed
        return self._peers

    def _receive(self) -> None:
        assert self._socket is not None
        for _ in range(100):  # then the loop's other work has its turn
            try:
                packed = self._socket.recv(MAX_DATAGRAM + 16)
            except OSError:
                return
            if not packed or len(packed) % 16:
                self.wake_all()
                continue
            numbers = array.array("q", packed)
            self.wake(zip(numbers[::2], numbers[1::2], strict=True))


def _wake(watches: Collection[Watch], folder: FolderId | None) -> None:
    """Wakes them, where they are many some in each turn of the loop: others have something to do, too."""
    if len(watches) <= TOGETHER:
        for watch in watches:
            watch.wake(folder)
    else:
        _wake_some(collections.deque(watches), folder)


def _wake_some(left: collections.deque[Watch], folder: FolderId | None) -> None:
    for _ in range(min(len(left), TOGETHER)):
        left.popleft().wake(folder)
    if left:
        asyncio.get_running_loop().call_soon(_wake_some, left, folder)
