"""What a server said: one reply, of any number of lines, however odd.

RFC 5321 4.2.1; enhanced codes RFC 2034 4, RFC 3463.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from quintet.delivery.transport import Result
from quintet.errors import BadSyntax, Hangup, Reason
from quintet.net.client import Client

MAX_LINES = 200  # of one reply
MAX_TEXT = 1000  # characters kept

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?: |$)")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Heard:
    """One reply."""

    code: int
    lines: tuple[str, ...]  # without the code

    @property
    def ok(self) -> bool:
        return self.code // 100 == 2

    @property
    def text(self) -> str:
        """In one line, with the code, for people and reports."""
        return f"{self.code} {' '.join(self.lines)}"[:MAX_TEXT].strip()

    def status(self, result: Result) -> str:
        """The enhanced code where it agrees with what we make of the reply, else a general one."""
        digit = {Result.DONE: "2", Result.LATER: "4", Result.NEVER: "5"}[result]
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        if found is not None and found[1] == digit:
            return found[0].strip()
        return f"{digit}.0.0"


async def read(client: Client) -> Heard:
    """The next reply.

    Raises:
        Hangup: the connection is gone or too slow, or what came is no reply.
    """
    lines: list[str] = []
    code = b""
    while len(lines) < MAX_LINES:
        try:
            found = _LINE.fullmatch(await client.line())
        except BadSyntax as error:
            raise Hangup(Reason.TOO_LONG, "reply too long") from error
        if found is None or (code and found[1] != code):
            raise Hangup(Reason.SYNTAX, "what came is no reply")
        code = found[1]
        lines.append(_UNSAFE.sub(" ", (found[3] or b"").decode("utf-8", "replace")))
        if found[2] != b"-":
            return Heard(int(code), tuple(lines))
    raise Hangup(Reason.TOO_MANY, "reply has too many lines")
