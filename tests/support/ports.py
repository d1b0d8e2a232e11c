"""Ports that nobody else takes between our looking for one and the start of the server that is to have it.

A port is kept by a socket that is bound to it and does not listen: Linux lets a server that says
SO_REUSEADDR, as all do, listen there beside it, and gives the port to nobody who looks for a free one; who
connects while there is no server is refused.  Elsewhere a port is only looked for: two sockets would be in
each other's way.
"""

from __future__ import annotations

import contextlib
import random
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"
BASES = range(20_000, 32_000, 500)  # below those that connections take theirs from


def keep(port: int = 0, address: str = HOST) -> socket.socket:
    """Keeps a port until it is closed; 0: one that is free.  Raises OSError: it is somebody's, or kept."""
    sock = socket.socket()
    try:
        sock.bind((address, port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # not before: two would keep one port
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def kept(address: str = HOST) -> Iterator[int]:
    """A free port, kept to the end of the block."""
    with keep(0, address) as sock:
        port: int = sock.getsockname()[1]
        if sys.platform != "linux":
            sock.close()
        yield port


@contextmanager
def kept_base(offsets: Iterable[int]) -> Iterator[int]:
    """A number to which all these can be added, and each is the port of nobody else."""
    numbers = list(offsets)
    for base in random.sample(BASES, len(BASES)):
        with ExitStack() as keeping:
            try:
                for number in numbers:
                    keeping.enter_context(keep(base + number))
            except OSError:
                continue
            if sys.platform != "linux":
                keeping.close()
            yield base
            return
    raise AssertionError("no range of ports is free")


def keep_some(count: int, keeping: ExitStack) -> list[int]:
    """So many ports, all different, kept until ``keeping`` is closed.

    Not from the range that connections take theirs from: while a server is down, a client that tries
    again and again would one day get the server's own port, and keep it.
    """
    found: list[int] = []
    with ExitStack() as looking:
        while len(found) < count:
            port = random.randrange(12_000, 20_000)
            with contextlib.suppress(OSError):
                looking.enter_context(keep(port))
                found.append(port)
        if sys.platform == "linux":
            keeping.push(looking.pop_all())
    return found
