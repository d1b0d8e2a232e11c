"""Pictures for CONVERT (RFC 5259 7.2, 13): each is made by a program of its own, which `message.pictures` is.

Whatever it does to itself, nobody else waits or dies of it.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from typing import Final

from quintet.message import pictures
from quintet.message.convert import CannotConvert, PicturePlan

MAX_PICTURE: Final = 16 * 1024 * 1024  # bytes of a picture that is read
MAX_MADE: Final = 64 * 1024 * 1024  # bytes of one that is made: 4096 x 4096 without any compression
CHUNK: Final = 256 * 1024
WAIT_S: Final = 20.0  # for one picture; its processor time is bounded by the program
AT_ONCE: Final = 2  # of one process; others wait for their turn

_turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


async def converted(pieces: AsyncIterator[bytes], how: PicturePlan) -> bytes:
    """Raises CannotConvert: too large, damaged, or it took too long."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > MAX_PICTURE:
            raise CannotConvert(f"picture of more than {MAX_PICTURE} bytes", how.source, how.target)
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    async with turn:
        code, made = await _run(bytes(held), how)
    if code == pictures.TOO_LARGE:
        raise CannotConvert("picture of too many pixels", how.source, how.target)
    if code or not made:
        raise CannotConvert("the picture cannot be read", how.source, how.target)
    return made


async def _run(data: bytes, how: PicturePlan) -> tuple[int, bytes]:
    words = ("-I", "-m", pictures.__name__, how.target, str(how.width), str(how.height))
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd="/", start_new_session=True
        )
    except OSError:
        return pictures.BAD_PICTURE, b""
    try:
        async with asyncio.timeout(WAIT_S):
            made = await _talk(process, data)
            if len(made) <= MAX_MADE:
                return await process.wait(), made
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return pictures.BAD_PICTURE, b""


async def _talk(process: Process, data: bytes) -> bytes:
    """Gives it ``data``; what it says, up to a little more than may be."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(data)
    process.stdin.write_eof()
    made = bytearray()
    while len(made) <= MAX_MADE and (chunk := await process.stdout.read(CHUNK)):
        made += chunk
    return bytes(made)
