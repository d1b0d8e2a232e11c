"""Mail into a program: `via = "pipe"`.  It is run without a shell, and its exit code is the answer.

Words of the command may hold {sender}, {recipient}, {user}, {detail} and {domain}; the message is standard
input with LF ends, under a Return-Path (RFC 5321 4.4).  Exit codes: sysexits.h.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from quintet import log
from quintet.delivery.stamp import return_path
from quintet.delivery.transport import Answer, Following, Hop, Letter, Result, To

USUAL_S = 600.0  # for the program
LAST_WORDS_S = 1.0  # for its output after its end
MAX_OUTPUT = 1000  # bytes of what it says that are kept
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

logger = log.get("queue")

# what each exit code means (RFC 3463 codes); 0 is success, and what is not here is 5.3.0
CODES: dict[int, tuple[Result, str, str]] = {
    os.EX_USAGE: (Result.NEVER, "5.3.0", "command line usage error"),
    os.EX_DATAERR: (Result.NEVER, "5.6.0", "data format error"),
    os.EX_NOINPUT: (Result.NEVER, "5.3.0", "cannot open input"),
    os.EX_NOUSER: (Result.NEVER, "5.1.1", "user unknown"),
    os.EX_NOHOST: (Result.NEVER, "5.1.2", "host name unknown"),
    os.EX_UNAVAILABLE: (Result.NEVER, "5.3.0", "service unavailable"),
    os.EX_SOFTWARE: (Result.NEVER, "5.3.0", "internal software error"),
    os.EX_OSERR: (Result.LATER, "4.3.0", "system resource problem"),
    os.EX_OSFILE: (Result.NEVER, "5.3.0", "critical OS file missing"),
    os.EX_CANTCREAT: (Result.NEVER, "5.2.0", "cannot create output file"),
    os.EX_IOERR: (Result.LATER, "4.3.0", "input/output error"),
    os.EX_TEMPFAIL: (Result.LATER, "4.3.0", "temporary failure"),
    os.EX_PROTOCOL: (Result.NEVER, "5.5.0", "remote error in protocol"),
    os.EX_NOPERM: (Result.NEVER, "5.7.0", "permission denied"),
    os.EX_CONFIG: (Result.LATER, "4.3.5", "local configuration error"),
}

_HOLE = re.compile(r"\{(sender|recipient|user|detail|domain)\}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]+")


class PipeLink:
    """Implements `delivery.transport.Link`: a run of the program for each recipient."""

    usable = True

    def __init__(self, hop: Hop) -> None:
        self._hop = hop

    @property
    def address(self) -> str:
        return self._hop.address

    async def send(
        self, letter: Letter, recipients: Sequence[To], following: Following | None = None
    ) -> list[Answer]:
        """See `delivery.transport.Link`.  Each recipient by itself, as the program tells of one only."""
        await letter.turn()
        return [await self._one(letter, recipient) for recipient in recipients]

    async def close(self) -> None:
        return

    async def _one(self, letter: Letter, recipient: To) -> Answer:
        values = holes(str(letter.sender), recipient)
        for name, status in (("recipient", "5.1.3"), ("sender", "5.1.7")):
            if values[name].startswith("-"):  # a program would take it for an option
                return self._answer(Result.NEVER, status, f"{name} begins with a hyphen")
        words = [filled(word, values) for word in self._hop.command]
        environ = {"PATH": PATH, "SENDER": values["sender"], "RECIPIENT": values["recipient"], "LANG": "C"}
        seconds = self._hop.timeout_s or USUAL_S
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env=environ, cwd="/", start_new_session=True
            )
        except (OSError, ValueError) as error:
            logger.error("program cannot be run", command=words[:1], text=str(error))  # noqa: TRY400 - a sentence
            return self._answer(Result.LATER, "4.3.5", "the program cannot be run")
        said = bytearray()
        listening = asyncio.create_task(_listen(process, said))
        try:
            async with asyncio.timeout(seconds):
                await _feed(process, letter)
                code = await process.wait()
                # what it left running may hold its output open for ever
                await asyncio.wait({listening}, timeout=LAST_WORDS_S)
        except TimeoutError:
            return self._answer(Result.LATER, "4.3.0", f"the program took longer than {seconds:g} s")
        finally:
            listening.cancel()
            await _end(process)
        return self._judged(code, bytes(said))

    def _judged(self, code: int, said: bytes) -> Answer:
        words = _UNSAFE.sub(" ", said.decode("utf-8", "replace")).strip()
        if code == 0:
            return self._answer(Result.DONE, "2.0.0", words or "delivered to a program")
        if code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            return self._answer(Result.LATER, "4.3.0", f"the program was ended by {name}. {words}".strip())
        result, status, meaning = CODES.get(code, (Result.NEVER, "5.3.0", f"the program failed ({code})"))
        return self._answer(result, status, f"{meaning}. {words}" if words else meaning)

    def _answer(self, result: Result, status: str, text: str) -> Answer:
        return Answer(result, status, text, final=result is Result.DONE, kind="x-unix")


def holes(sender: str, recipient: To) -> Mapping[str, str]:
    """What may stand in a command."""
    user, _, detail = recipient.address.local.partition("+")
    return {
        "sender": sender,
        "recipient": str(recipient.address),
        "user": user,
        "detail": detail,
        "domain": recipient.address.domain,
    }


def filled(word: str, values: Mapping[str, str]) -> str:
    """One word of the command; what is put in is never looked at again, and stays one word."""
    return _HOLE.sub(lambda hole: values[hole[1]], word)


async def lines(letter: Letter) -> AsyncIterator[bytes]:
    """The message with LF ends, under its Return-Path."""
    yield return_path(letter.sender).replace(b"\r\n", b"\n")
    held = b""
    # cast: the seam promises an iterator, which may have no aclose; stores give generators
    async with aclosing(cast("Any", letter.body.chunks(0, letter.body.size))) as pieces:
        async for piece in pieces:
            data = held + piece
            held = b"\r" if data.endswith(b"\r") else b""
            yield (data[:-1] if held else data).replace(b"\r\n", b"\n")
    if held:
        yield held


async def _feed(process: Process, letter: Letter) -> None:
    """Gives it the message; one that does not read all of it has its reasons, and its exit code counts."""
    assert process.stdin is not None
    try:
        async with aclosing(cast("Any", lines(letter))) as pieces:  # Any: as above
            async for piece in pieces:
                process.stdin.write(piece)
                await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.close()


async def _listen(process: Process, said: bytearray) -> None:
    """Keeps the beginning of what it says; the rest is read and dropped, so that it never waits for us."""
    assert process.stdout is not None
    while piece := await process.stdout.read(4096):
        said += piece[: max(MAX_OUTPUT - len(said), 0)]


async def _end(process: Process) -> None:
    """Ends a program that still runs, with what it started."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
