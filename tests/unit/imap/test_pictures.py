"""Pictures of CONVERT: sizes and formats as asked, and hostile ones that cost nothing but an answer."""

from __future__ import annotations

import asyncio
import io
import struct
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.imap import pictures as made
from quintet.message import pictures
from quintet.message.convert import CannotConvert, PicturePlan

image = pytest.importorskip("PIL.Image", reason="Pillow (the extra images) is not installed")


def picture(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    image.new(mode, size, 1).save(out, kind)
    return out.getvalue()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 50_000):
        yield data[at : at + 50_000]


@pytest.mark.parametrize("source", ["PNG", "GIF", "JPEG"])
@pytest.mark.parametrize("target", list(pictures.FORMATS))
@pytest.mark.parametrize(
    ("asked", "size"), [((0, 0), (40, 20)), ((10, 0), (10, 5)), ((0, 4), (8, 4)), ((7, 9), (7, 9))]
)
def test_each_format_in_each_size(
    source: str, target: str, asked: tuple[int, int], size: tuple[int, int]
) -> None:
    found = image.open(io.BytesIO(pictures.convert(picture(source), target, *asked)))
    assert (found.format, found.size) == (pictures.FORMATS[target], size)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_a_jpeg_of_any_colours(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    found = image.open(io.BytesIO(pictures.convert(picture(kind, mode=mode), "image/jpeg", 4, 4)))
    assert found.format == "JPEG"


def test_what_is_made_is_never_larger_than_the_largest_side() -> None:
    found = image.open(io.BytesIO(pictures.convert(picture("PNG", (4000, 2)), "image/png", 0, 4096)))
    assert found.size == (pictures.MAX_SIDE, 4096)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says to be huge, and is small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cannot be read"),
        (b"GIF89a", "cannot be read"),
        (picture("JPEG")[:-200], "cannot be read"),
        (bomb(60_000, 60_000), "too many pixels"),
        (bomb(2_000_000_000, 2), "too many pixels"),
        (bytes(made.MAX_PICTURE + 1), "more than"),
    ],
)
async def test_hostile_pictures_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(CannotConvert, match=why):
        await made.converted(pieces(data), PicturePlan("image/png", "image/jpeg", 10, 10))


@pytest.mark.parametrize("program", ["sleeps", "talks for ever"])
async def test_a_program_that_does_not_end_is_ended(
    program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(made, "WAIT_S", 0.2 if program == "sleeps" else 10)
    monkeypatch.setattr(made, "MAX_MADE", 100_000)
    mute = tmp_path / "sleeps"
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(mute) if program == "sleeps" else "/usr/bin/yes")
    async with asyncio.timeout(30):
        with pytest.raises(CannotConvert, match="cannot be read"):
            await made.converted(pieces(b"x"), PicturePlan("image/png", "image/jpeg", 10, 10))


async def test_no_program_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(CannotConvert, match="cannot be read"):
        await made.converted(pieces(b"x"), PicturePlan("image/png", "image/jpeg", 10, 10))
