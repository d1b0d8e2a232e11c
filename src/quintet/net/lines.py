"""Lines out of bytes, with a limit: the buffer that every line protocol's wire is built on.

Pure: no socket, no clock.  What a line means is the wire's business.  A line ends with CRLF only
(RFC 5321 2.3.8, RFC 9051 2.2, RFC 3977 3.1, RFC 1939 3), unless ``bare_lf`` is asked for.
"""

from __future__ import annotations

from quintet.errors import BadSyntax, Hangup, Reason

MAX_LINE = 64 * 1024  # bytes. RFC 2683 3.2.1.5 asks for 8000; some clients send long UID sets in one line
MAX_SKIP = 1024 * 1024  # bytes of one overlong line that we read past before we give up on the peer


class LineBuffer:
    """Bytes that have come and were not used yet.

    ``max_line`` counts the bytes of a line without its end.  With ``bare_lf`` a lone LF ends a line
    as well (for peers that are no mail software; never for SMTP, where it is a hole).
    """

    __slots__ = ("_at", "_data", "_end", "_searched", "_skipped", "bare_lf", "max_line")

    @property
    def owed(self) -> bool:
        """See `seam.Wire`; a wire to which it never happens says no."""
        return False

    def __init__(self, max_line: int = MAX_LINE, bare_lf: bool = False) -> None:
        self.max_line = max_line
        self.bare_lf = bare_lf
        self._end = b"\n" if bare_lf else b"\r\n"
        self._data = b""
        self._at = 0  # what lies before is used
        self._searched = 0  # bytes of _data known to hold no line end
        self._skipped = 0  # bytes of an overlong line thrown away, 0 when in none

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Adds what came; no copy when nothing was left over."""
        if self._at == len(self._data):
            self._data = data
            self._searched = 0
        else:
            self._data = self._data[self._at :] + data
            self._searched = max(self._searched - self._at, 0)
        self._at = 0

    def take_line(self, limit: int | None = None) -> bytes | None:
        """The next line without its end, or None when it is not whole yet.

        Raises:
            BadSyntax(TOO_LONG): the line is longer than ``limit`` (default ``max_line``); it is read
                past, so that the next call gives the line after it.
            Hangup(TOO_LONG): it goes on for more than `MAX_SKIP` bytes.
        """
        data, start = self._data, self._at
        end = data.find(self._end, max(start, self._searched))
        most = self.max_line if limit is None else limit
        if end < 0:
            if start == len(data):
                self._data = b""  # used up: a connection that falls idle holds nothing
                self._at = self._searched = 0
            elif len(data) - start > most + 1:  # 1: the CR of an end that is not whole
                self._skip()
            else:
                self._searched = max(len(data) - 1, start)
            return None
        self._at = end + len(self._end)
        self._searched = self._at
        if self._skipped or end - start > most + 1:
            self._skipped = 0
            raise BadSyntax(f"line longer than {most} bytes", Reason.TOO_LONG)
        line = data[start:end]
        if self.bare_lf and line.endswith(b"\r"):
            line = line[:-1]
        if len(line) > most:
            raise BadSyntax(f"line longer than {most} bytes", Reason.TOO_LONG)
        return line

    def take_lines(self, limit: int = 1000) -> list[bytes]:
        """At most ``limit`` whole lines that are there, for wires that answer a pipeline in one go.

        Raises what `take_line` raises, for the first line only; a later overlong one stays.
        """
        first = self.take_line()
        if first is None:
            return []
        found = [first]
        while len(found) < limit:
            end = self._data.find(self._end, self._at)
            if end < 0 or end - self._at > self.max_line:
                break
            line = self._data[self._at : end]
            self._at = end + len(self._end)
            self._searched = self._at
            found.append(line[:-1] if self.bare_lf and line.endswith(b"\r") else line)
        return found

    def take(self, limit: int) -> bytes:
        """At most ``limit`` raw bytes."""
        start = self._at
        if start == 0 and len(self._data) <= limit:
            taken = self._data
        else:
            taken = self._data[start : start + limit]
        self._at = self._searched = start + len(taken)
        return taken

    def take_ended(self, size: int) -> bytes | None:
        """The next ``size`` bytes, if they are there with a line end behind them; both are taken then."""
        start = self._at
        end = start + size
        if not self._data.startswith(self._end, end):
            return None
        self._at = self._searched = end + len(self._end)
        return self._data[start:end]

    def untake(self, data: bytes) -> None:
        """Puts bytes back in front of what is there; no copy when they are what was taken last."""
        start = self._at - len(data)
        if start >= 0 and self._data.startswith(data, start):
            self._at = self._searched = start
            return
        self._data = data + self._data[self._at :]
        self._at = self._searched = 0

    def clear(self) -> None:
        """Throws everything away."""
        self._data = b""
        self._at = self._searched = self._skipped = 0

    def _skip(self) -> None:
        keep = b"\r" if self._data.endswith(b"\r") else b""
        self._skipped += len(self) - len(keep)
        self._data = keep
        self._at = self._searched = 0
        if self._skipped > MAX_SKIP:
            raise Hangup(Reason.TOO_LONG, f"line longer than {MAX_SKIP} bytes")
