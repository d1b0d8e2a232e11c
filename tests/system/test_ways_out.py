"""Ways out of a whole server that are no MX: a program, a batch file, and a customer who comes by."""

from __future__ import annotations

import asyncio
import smtplib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.admin import cli
from quintet.config.listeners import Listener
from quintet.config.route import Route
from quintet.store import queue
from quintet.store.store import Store
from tests.support.server import HOST, configured, spawn_server
from tests.support.shell import Shell

TIME_S = 60.0
BOB = "bob@example.org"


def listeners(*roles: str) -> dict[str, Listener]:
    return {
        role: Listener(name=role, protocol="smtp", role=role, address=HOST) for role in ("submission", *roles)
    }


def post(port: int, recipient: str, subject: str) -> None:
    with smtplib.SMTP(HOST, port, timeout=TIME_S) as client:
        client.login(BOB, "demo")
        client.sendmail(BOB, [recipient], f"Subject: {subject}\r\n\r\nhello\r\n")


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + TIME_S
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def queued(folder: Path) -> list[queue.Recipient]:
    async def read() -> list[queue.Recipient]:
        store = await Store.open(configured(folder).store)
        try:
            return store.peek(queue.listing)
        finally:
            await store.close()

    return asyncio.run(read())


def test_program_and_batch_file(tmp_path: Path) -> None:
    out, batch = tmp_path / "out", tmp_path / "batch"
    script = (
        f"import sys; open({str(out)!r}, 'ab').write(sys.argv[1].encode() + b' ' + sys.stdin.buffer.read())"
    )
    routes = {
        "program": Route(
            domains=["pipe.test"], via="pipe", command=[sys.executable, "-c", script, "{recipient}"]
        ),
        "batch": Route(domains=["batch.test"], via="batch", file=str(batch)),
    }
    with spawn_server(tmp_path / "s", listeners=listeners(), queue={"routes": routes}) as server:
        post(server.ports["submission"], "eva@pipe.test", "to a program")
        post(server.ports["submission"], "leo@batch.test", "to a file")
        until(lambda: not queued(server.folder))
        assert out.read_bytes().startswith(b"eva@pipe.test Return-Path: <bob@example.org>\n")
        assert b"Subject: to a program\n" in out.read_bytes()
        text = batch.read_bytes()
        assert b"RCPT TO:<leo@batch.test>" in text
        assert text.endswith(b"hello\r\n.\r\n")


def test_customer_fetches_what_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """RFC 2645, both sides ours: provider and customer."""
    routes = {"customer": Route(domains=["customer.test"], via="wait", fetched_by=["alice@example.org"])}
    with spawn_server(
        tmp_path / "provider", listeners=listeners("odmr"), queue={"routes": routes, "poll_s": 0.2}
    ) as provider:
        port, odmr = provider.ports["submission"], provider.ports["odmr"]
        customer = tmp_path / "customer"
        shell = Shell(customer, capsys)
        assert cli.run(["init", str(customer), "--hostname", "customer.test"]) == 0
        capsys.readouterr()
        shell("account", "add", "eva@customer.test", "--password", "a long phrase")
        words = ("queue", "fetch", "--atrn", HOST, "--port", str(odmr), "--tls", "never")
        login = ("--user", "alice@example.org", "--password", "demo")
        assert shell(*words, *login) == "no mail there\n"
        for number in range(3):
            post(port, "eva@customer.test", f"waits {number}")
        post(port, "nobody@customer.test", "for nobody")
        until(lambda: len(queued(provider.folder)) == 4)
        got = shell.json(*words, *login, "--domain", "customer.test")
        assert got["messages"] == 3
        assert [one for one in queued(provider.folder) if one.domain == "customer.test"] == []
        shell(*words, "--user", BOB, "--password", "demo", code=1)
        assert "450" in shell.err
        shell(*words, "--user", BOB, "--password", "wrong", code=1)
