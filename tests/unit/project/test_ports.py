"""Ports that tests keep for servers which they start later."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack

import pytest

from tests.support import ports

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is kept")


def test_a_kept_port_is_free_for_a_server_and_for_nobody_who_looks() -> None:
    with ports.kept() as port:
        with pytest.raises(OSError, match="in use"):
            ports.keep(port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((ports.HOST, port))
        for _ in range(2):  # it may be started again
            with socket.create_server((ports.HOST, port)), socket.create_connection((ports.HOST, port)):
                pass


def test_many_are_kept_until_they_are_let_go() -> None:
    with ExitStack() as keeping:
        found = ports.keep_some(6, keeping)
        assert len(set(found)) == 6
        for port in found:
            with pytest.raises(OSError, match="in use"):
                ports.keep(port)


def test_a_base_whose_ports_are_all_free() -> None:
    with ports.kept_base((25, 143)) as base, pytest.raises(OSError, match="in use"):
        ports.keep(base + 143)
