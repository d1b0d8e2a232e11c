"""A mailbox, its owner's logon, and letters in it; on both engines, checked when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quintet.mapi import objects
from quintet.mapi.objects import Box
from quintet.store import accounts, entries
from quintet.store.blobs import Blobs
from quintet.store.content import content_of
from quintet.store.db import DrivenTx
from quintet.store.model import Account
from tests.unit.store.conftest import postgresql_tx, sqlite_tx, tx

__all__ = ["postgresql_tx", "sqlite_tx", "tx"]

LETTER = (
    b"From: =?utf-8?q?Zo=C3=AB?= <zoe@example.net>\r\n"
    b"To: Ann <ann@example.org>, bob@example.org\r\nCc: carl@example.org\r\n"
    b"Subject: Re: =?utf-8?q?Caf=C3=A9?= menu\r\nDate: Fri, 21 Nov 2025 09:00:00 +0000\r\n"
    b"Message-ID: <m1@example.net>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSoup.\r\n"
    b'--b\r\nContent-Type: application/pdf; name="menu.pdf"\r\n'
    b'Content-Disposition: attachment; filename="menu.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    b"UERG\r\n--b--\r\n"
)


@pytest.fixture
def files(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path, sync=False)


@pytest.fixture
def ann(tx: DrivenTx) -> Account:
    accounts.add_domain(tx, "example.org")
    return accounts.create(tx, "ann@example.org", display_name="Ann Ames")


@pytest.fixture
def box(tx: DrivenTx, ann: Account, files: Blobs) -> Iterator[Box]:
    """The owner's logon, within the test's transaction."""
    opened = objects.logon(tx, ann.id, ann.id, files=files)
    with opened.using(tx):
        yield opened


@pytest.fixture
def deliver(tx: DrivenTx, box: Box) -> Callable[..., int]:
    """Puts a letter into the Inbox as delivery does; gives its object number."""

    def put(raw: bytes = LETTER, flags: int = 0) -> int:
        (added,) = entries.add(
            tx, [box.special["inbox"]], content_of(raw), prefix=b"Received: from x by y\r\n",
            received_at=tx.now, flags=flags,
        )  # fmt: skip
        return added.entry_id

    return put
