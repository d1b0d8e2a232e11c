"""RPC_HEADER_EXT: the frame around payloads, compressed and obfuscated (MS-OXCRPC 2.2.2.1, 3.1.4.1.1)."""

from __future__ import annotations

from typing import Final

from quintet.mapi import lzxpress
from quintet.mapi.buffer import Reader, Writer, bad

COMPRESSED: Final = 0x0001
OBFUSCATED: Final = 0x0002
LAST: Final = 0x0004
MAX_PAYLOAD = 0xFFFF  # bytes: what Size and SizeActual can tell
MAX_FRAMES = 96  # in one buffer (MS-OXCRPC 3.1.4.2.1.1.2: chained responses), each up to 32 KiB
# bytes below which nothing is compressed (R1635): a page of rows costs twice as long to make then, which the
# few packets that it is shorter by save on no line that people have
WORTH = 16 * 1024

_XOR = bytes(octet ^ 0xA5 for octet in range(256))  # MS-OXCRPC_R956


def unwrap(raw: bytes) -> list[bytes]:
    """The payloads of a buffer, one a frame.  Raises BadSyntax: malformed, or bytes behind the last."""
    reader, found = Reader(raw), list[bytes]()
    while True:
        version, flags, size, actual = reader.u16(), reader.u16(), reader.u16(), reader.u16()
        if version:  # R33
            raise bad("no such version of a frame")
        payload = reader.take(size)
        if flags & OBFUSCATED:
            payload = payload.translate(_XOR)
        if flags & COMPRESSED:  # R4842: reverted first
            if size >= actual:  # R4794
                raise bad("a frame that grew by compression")
            payload = lzxpress.decompress(payload, actual)
        elif size != actual:  # R38, R46
            raise bad("a frame of two sizes")
        found.append(payload)
        if flags & LAST:
            break
        if len(found) == MAX_FRAMES:
            raise bad("too many frames")
    if len(reader):
        raise bad("more behind the last frame")
    return found


def wrap(payloads: list[bytes], *, compress: bool = True, obfuscate: bool = False) -> bytes:
    """Payloads as a buffer; compressed where that makes them shorter.

    Raises BadSyntax: one is longer than a frame can tell.
    """
    writer = Writer()
    for number, payload in enumerate(payloads, 1):
        if len(payload) > MAX_PAYLOAD:
            raise bad("a payload that no frame can hold")
        flags, sent = (LAST if number == len(payloads) else 0), payload
        if compress and len(payload) >= WORTH:
            short = lzxpress.compress(payload)
            if len(short) < len(payload):
                flags, sent = flags | COMPRESSED, short
        if obfuscate:  # R4845: after compression
            flags, sent = flags | OBFUSCATED, sent.translate(_XOR)
        for value in (0, flags, len(sent), len(payload)):
            writer.u16(value)
        writer.put(sent)
    return writer.done()
