"""Mail appended to a file of batch SMTP, and read back by our own reader (RFC 2442)."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import os
import threading
from pathlib import Path

import pytest

from quintet.delivery.envelope import DeliverBy, Wishes, mailbox
from quintet.delivery.letter import HeldBody
from quintet.delivery.transport import Answer, Hop, Letter, Result, To
from quintet.errors import TryLater
from quintet.net.seam import Peer
from quintet.smtp import batchfile
from quintet.smtp.batch import Batch
from quintet.smtp.batchfile import BatchLink
from tests.support.mailhouse import mail_house

BODY = b"Subject: x\r\n\r\n.dot\r\nend\r\n"
BOB = To(mailbox("bob@example.org"))
WHOLE = (
    b"EHLO mx.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
    b"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"
)


def link(path: Path) -> BatchLink:
    return BatchLink(Hop(str(path), str(path), 0, via="batch", path=str(path)), "mx.test")


async def send(path: Path, *to: To, body: HeldBody | None = None, **wishes: object) -> list[Answer]:
    letter = Letter(mailbox("a@b.test"), body or HeldBody(BODY), False, False, wishes=Wishes(**wishes))  # type: ignore[arg-type]
    return await link(path).send(letter, to or [BOB])


async def test_transactions_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "out.bsmtp"
    [answer] = await send(path)
    assert (answer.result, answer.passed_on) == (Result.DONE, True)
    await asyncio.gather(*(send(path) for _ in range(5)))
    assert path.read_bytes() == WHOLE * 6
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_was_asked_for_goes_along(tmp_path: Path) -> None:
    path = tmp_path / "out"
    asked = dataclasses.replace(BOB, notify=("success", "failure"), orcpt="rfc822;b+c@x")
    await send(path, asked, ret="hdrs", envid="a+b")
    text = path.read_bytes()
    assert b"MAIL FROM:<a@b.test> RET=HDRS ENVID=a+2Bb\r\n" in text
    assert b"RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bc@x\r\n" in text


async def test_our_reader_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "out"
    await send(path, BOB, To(mailbox("carol@example.org")))
    await send(path)
    async with mail_house(tmp_path / "house") as house:
        with path.open("rb") as file:

            async def read(size: int) -> bytes:
                return file.read(size)

            batch = Batch(house.service, Peer("b", "unix"), read)
            told = [one async for one in batch.run()]
        assert (batch.accepted, [one.code for one in told if one.code >= 300]) == (2, [])
        assert (await house.count("bob"), await house.count("carol")) == (2, 1)
        assert (await house.last("bob")).endswith(BODY)


@pytest.mark.parametrize("cut", [1, 3, 7, 40, len(WHOLE) - 1])
async def test_what_a_crash_left_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "out"
    path.write_bytes(WHOLE + WHOLE[:-cut])
    await send(path)
    assert path.read_bytes() == WHOLE * 2


async def test_first_transaction_torn(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(WHOLE[:3])
    await send(path)
    assert path.read_bytes() == WHOLE


async def test_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mbox"
    path.write_bytes(b"From dora\nSubject: x\n")
    with pytest.raises(TryLater, match="no batch SMTP"):
        await send(path)
    assert path.read_bytes() == b"From dora\nSubject: x\n"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TryLater):
        await send(path)


class Failing(HeldBody):
    async def chunks(self, start, length):  # type: ignore[no-untyped-def]
        yield self.data[:10]
        raise OSError(28, "No space left on device")


async def test_failure_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out"
    await send(path)
    with pytest.raises(TryLater, match="No space left"):
        await send(path, body=Failing(BODY))
    assert path.read_bytes() == WHOLE


async def test_who_is_cancelled_waits_for_what_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread cannot be stopped: it would write into whatever file has the number next."""
    path = tmp_path / "out"
    await send(path)
    begun, goes_on = threading.Event(), threading.Event()
    write = batchfile._write

    def slow(file: int, data: bytes) -> None:
        begun.set()
        assert goes_on.wait(30)
        write(file, data)

    monkeypatch.setattr(batchfile, "_write", slow)
    sending = asyncio.create_task(send(path))
    await asyncio.to_thread(begun.wait, 30)
    sending.cancel()
    await asyncio.wait({sending}, timeout=0.05)
    assert not sending.done()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert path.read_bytes() == WHOLE


async def test_who_renames_the_file_has_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that waits for the lock while the file is renamed begins a new one."""
    path, taken = tmp_path / "out", tmp_path / "taken"
    await send(path)
    reader = os.open(path, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_EX)
    waiting = asyncio.create_task(send(path))
    for _ in range(3):
        await asyncio.sleep(0)
    path.rename(taken)
    os.close(reader)
    await waiting
    assert taken.read_bytes() == WHOLE
    assert path.read_bytes() == WHOLE


async def test_lock_that_never_ends_is_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batchfile, "LOCK_S", 0.1)
    path = tmp_path / "out"
    with path.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TryLater, match="locked"):
            await send(path)


async def test_binary_mail_is_refused(tmp_path: Path) -> None:
    [answer] = await send(tmp_path / "out", binary=True)
    assert (answer.result, answer.status) == (Result.NEVER, "5.6.3")


@pytest.mark.parametrize(("mode", "taken"), [("R", False), ("N", True)])
async def test_file_promises_no_delivery_by_a_time(tmp_path: Path, mode: str, taken: bool) -> None:
    """RFC 2852 4.1.5."""
    path = tmp_path / "out"
    [answer] = await send(path, by=DeliverBy(2**41, mode))
    assert path.exists() is taken
    assert (answer.result, answer.status) == ((Result.DONE, "2.0.0") if taken else (Result.NEVER, "5.3.3"))
