"""Pictures in another size or format (RFC 5259 7.2), by Pillow, which is there only where it was installed.

Who decodes hostile pictures may take all memory and time, or die of them: so this module is run as a program
of its own, ``python -m quintet.message.pictures TYPE WIDTH HEIGHT``, with its limits, from pipe to pipe.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import resource
import sys
from collections.abc import Mapping
from typing import Any

FORMATS: Mapping[str, str] = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}
MAX_SIDE = 4096  # pixels of what is made: more than any screen of a device that asks for less
MAX_PIXELS = 50_000_000  # of what is read, as its own header says: 150 MB when it is decoded
MEMORY = 768 * 1024 * 1024  # bytes of the program
SECONDS = 10  # of its processor time
BAD_PICTURE = 3  # exit codes
TOO_LARGE = 4
QUALITY = 85  # of a JPEG: what is lost is not seen


@functools.cache
def available() -> bool:
    """Pillow is installed."""
    return importlib.util.find_spec("PIL") is not None


class TooLarge(Exception):
    """More pixels than are read here."""


def convert(data: bytes, target: str, width: int, height: int) -> bytes:
    """A picture (of several, the first) in the format ``target``; 0 for a side: as the other one asks.

    Raises:
        TooLarge.
        Exception: whatever Pillow finds wrong with a damaged picture.
    """
    image_module: Any = importlib.import_module("PIL.Image")  # not installed where the types are checked
    ops: Any = importlib.import_module("PIL.ImageOps")
    try:
        picture: Any = image_module.open(io.BytesIO(data), formats=tuple(FORMATS.values()))
    except image_module.DecompressionBombError:
        raise TooLarge from None
    if picture.width * picture.height > MAX_PIXELS:
        raise TooLarge
    if width and height:
        picture.draft("RGB", (width, height))  # a JPEG is decoded no larger than it need be
    picture = ops.exif_transpose(picture)
    wide, high = width, height
    if width or height:
        wide = wide or max(round(picture.width * height / picture.height), 1)
        high = high or max(round(picture.height * width / picture.width), 1)
        picture = picture.convert("RGBA" if _is_clear(picture) else "RGB")
        picture = picture.resize((min(wide, MAX_SIDE), min(high, MAX_SIDE)))
    if target == "image/jpeg" and picture.mode not in ("RGB", "L"):
        paper = image_module.new("RGB", picture.size, "white")
        clear = picture.convert("RGBA")
        paper.paste(clear, mask=clear)
        picture = paper
    made = io.BytesIO()
    more = {"quality": QUALITY} if target == "image/jpeg" else {}
    picture.save(made, FORMATS[target], **more)
    return made.getvalue()


def _is_clear(picture: Any) -> bool:
    return "A" in picture.mode or "transparency" in picture.info


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if sys.platform == "linux":  # elsewhere the limit of the address space is none, or counts too much
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    target, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    try:
        made = convert(sys.stdin.buffer.read(), target, width, height)
    except TooLarge:
        return TOO_LARGE
    except Exception:  # noqa: BLE001 - any: Pillow has no family of errors for damaged pictures
        return BAD_PICTURE
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
