"""The workgroup program of `tests.support.workgroup` on systems of others: Dovecot with Postfix, and innd."""

from __future__ import annotations

import asyncio

import pytest

from quintet import mapi
from quintet.mapi.api import Session
from tests.support import dovecot, inn, postfix, workgroup

pytestmark = pytest.mark.interop

MAIL = {"files", "marks", "categories", "moves", "searches", "syncs", "watches"}
PLANS = {"appointments", "tasks", "contacts", "versions"}
LETTERS = {"sends", "answers", "meets", "assigns"}
NO_MAIL = dovecot.missing() or postfix.missing()


@pytest.mark.skipif(bool(NO_MAIL), reason=NO_MAIL or "there")
async def test_dovecot_and_postfix() -> None:
    async with postfix.postfix(9, users=("ann", "bob")) as mta:
        assert await asyncio.to_thread(_letters, mta) == MAIL | PLANS | LETTERS


def _letters(mta: postfix.Postfix) -> set[str]:
    """What of it was done."""
    with dovecot.running(mta.folder / "vmail") as port:

        def opened(name: str) -> Session:
            return mapi.connect(
                "IMAP", host=dovecot.HOST, port=str(port), tls="no", user=f"{name}@postfix.test",
                password=dovecot.PASSWORD, smtp_host="127.0.0.1", smtp_port=str(mta.port), smtp_tls="no",
                smtp_login="no", poll="0.2",
            )  # fmt: skip

        with opened("ann") as ann, opened("bob") as bob:
            return workgroup.run(ann, bob, "bob@postfix.test")


@pytest.mark.skipif(bool(inn.missing()), reason=inn.missing() or "there")
async def test_innd() -> None:
    async with inn.inn("news.example.org", ["local.test"]) as server:
        assert await asyncio.to_thread(_post, server.port) == {"posts"}


def _post(port: int) -> set[str]:
    with mapi.connect(
        "NNTP", host="127.0.0.1", port=str(port), tls="no", address="ann@example.org", name="Ann"
    ) as ann:
        return workgroup.run(ann, group="local.test")
