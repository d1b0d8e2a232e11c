"""Dot-terminated bodies, both ways: SMTP DATA, POP3 RETR, NNTP ARTICLE and POST.

Pure.  Only CRLF "." CRLF ends a body: a bare CR or LF is data, which `smtp.repair` and the scanner judge, so
that no two servers disagree about where a message ends (SMTP smuggling).  RFC 5321 4.5.2, RFC 1939 3,
RFC 3977 3.1.1.
"""

from __future__ import annotations

END = b"\r\n.\r\n"
_PARTS = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")  # what may turn out to be the beginning of END


class Reader:
    """Un-stuffs a body as it comes, in any chunking.

    ``done`` is set once the end was seen, ``rest`` then holds what follows.  ``undoubled`` tells that a line
    began with one dot only; it never changes what comes out.
    """

    __slots__ = ("_first", "_tail", "done", "rest", "undoubled")

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the body begins at the start of a line
        self._first = True  # that CRLF is ours and not part of the body
        self.done = False
        self.rest = b""
        self.undoubled = False

    def feed(self, data: bytes) -> bytes:
        """The body's bytes that are certain by now; its last line keeps its CRLF."""
        if self.done:
            raise ValueError("fed after the end")
        data = self._tail + data
        end = data.find(END)
        if end >= 0:
            self.done = True
            self.rest = data[end + len(END) :]
            ready = data[: end + 2]
        else:
            held = next((len(part) for part in _PARTS if data.endswith(part)), 0)
            self._tail = data[len(data) - held :] if held else b""
            ready = data[: len(data) - held] if held else data
            if not ready:
                return b""
        if dotted := ready.count(b"\r\n."):  # no chunk ends behind such a dot
            self.undoubled = self.undoubled or dotted != ready.count(b"\r\n..")
        body = ready.replace(b"\r\n.", b"\r\n") if dotted else ready
        if self._first:
            self._first = False
            return body[2:]
        return body


def first(data: bytes) -> tuple[bytes, bytes] | None:
    """A body that ``data`` begins with, un-stuffed, and what follows it; None: its end is not there."""
    if data.startswith(END[2:]):
        return b"", data[len(END) - 2 :]
    end = data.find(END)
    if end < 0:
        return None
    body = data[data.startswith(b".") : end + 2]
    return (body.replace(b"\r\n.", b"\r\n") if b"\r\n." in body else body), data[end + len(END) :]


def stuff(data: bytes, start_of_line: bool = True) -> bytes:
    """``data`` with a dot before each line that starts with one; nothing is added at its end."""
    stuffed = data.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if start_of_line and data.startswith(b".") else stuffed


def whole(data: bytes, dotless: bool = False) -> bytes:
    """A complete body as it goes out: stuffed, with a final CRLF and the ending "." CRLF.

    ``dotless`` says that no line of ``data`` starts with a dot: then it is a copy only.
    """
    if not dotless or data.startswith(b"."):
        data = stuff(data)
    if data.endswith(b"\r\n") or not data:
        return data + b".\r\n"
    return data + END


class Writer:
    """Stuffs a body that goes out in chunks."""

    __slots__ = ("_dotless", "_tail")

    def __init__(self, dotless: bool = False) -> None:
        self._tail = b"\r\n"  # the last bytes that went out
        self._dotless = dotless

    def feed(self, chunk: bytes) -> bytes:
        tail = self._tail
        self._tail = chunk[-2:] if len(chunk) > 1 else (tail + chunk)[-2:]
        if self._dotless and not chunk.startswith(b"."):
            return chunk
        return (tail + chunk).replace(b"\r\n.", b"\r\n..")[len(tail) :]

    def finish(self) -> bytes:
        """The missing line end, if one is missing, and the end of the body."""
        return b".\r\n" if self._tail == b"\r\n" else END
