"""Peers at two workers offer the same articles at the same time: one of them is asked, each is taken once."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.support.feedhouse import GROUP, article, peer
from tests.support.server import HOST, Spawned, spawn_server

CONNECTIONS = 8  # the kernel deals them out to the workers
ARTICLES = 150
TIME_S = 60.0


class Peer:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), TIME_S)
        self.file = self.socket.makefile("rwb")
        assert self.file.readline().startswith(b"200")
        self.answers: list[bytes] = []

    def ask(self, data: bytes, lines: int) -> None:
        self.file.write(data)
        self.file.flush()
        self.answers = [self.file.readline() for _ in range(lines)]

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def at_once(peers: list[Peer], data: bytes, lines: int) -> None:
    """All of them say the same at the same time."""
    gate = threading.Barrier(len(peers))

    def say(one: Peer) -> None:
        gate.wait()
        one.ask(data, lines)

    threads = [threading.Thread(target=say, args=(one,)) for one in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIME_S)


def _busy(server: Spawned) -> int:
    """Workers that have connections."""
    return sum(bool(sum(each["connections"] for each in one["listeners"])) for one in server.status())


def test_an_article_is_asked_for_and_taken_once(tmp_path: Path) -> None:
    names = [f"{number}@two.test" for number in range(ARTICLES)]
    nntp = {"peer": (peer("in", max_in=50),)}
    with spawn_server(tmp_path, workers=2, nntp=nntp) as server, ExitStack() as opened:
        port = server.ports["nntp"]
        peers = []
        while len(peers) < CONNECTIONS or (_busy(server) < 2 and len(peers) < 40):
            peers.append(Peer(port))
            opened.callback(peers[-1].close)
        assert _busy(server) == 2
        at_once(peers, b"".join([b"CHECK <%b>\r\n" % name.encode() for name in names]), ARTICLES)
        codes = [Counter(one.answers[at][:3] for one in peers) for at in range(ARTICLES)]
        assert codes == [Counter({b"238": 1, b"431": len(peers) - 1})] * ARTICLES
        stream = b"".join([f"TAKETHIS <{name}>\r\n".encode() + article(name) + b".\r\n" for name in names])
        at_once(peers, stream, ARTICLES)
        codes = [Counter(one.answers[at][:3] for one in peers) for at in range(ARTICLES)]
        assert codes == [Counter({b"239": 1, b"439": len(peers) - 1})] * ARTICLES
        peers[0].ask(f"GROUP {GROUP}\r\n".encode(), 1)
        assert peers[0].answers[0].startswith(f"211 {ARTICLES} 1 {ARTICLES} ".encode())
        peers[-1].ask(b"".join([b"CHECK <%b>\r\n" % name.encode() for name in names]), ARTICLES)
        assert Counter(line[:3] for line in peers[-1].answers) == {b"438": ARTICLES}
