"""How much a server that is not trusted may answer to one question, as it weighs in memory here."""

from __future__ import annotations

from typing import Final

LINE: Final = 64  # bytes that Python keeps beside those of a line: millions of empty ones are no small answer


class Allowance:
    """One a connection; `renew` it with each question."""

    __slots__ = ("_left", "_most")

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def renew(self) -> None:
        self._left = self._most

    def spend(self, size: int) -> None:
        """Raises ConnectionError: there is too much."""
        self._left -= size
        if self._left < 0:
            raise ConnectionError("an answer that is too long")

    def spend_line(self, line: bytes) -> None:
        """Raises as `spend`."""
        self.spend(len(line) + LINE)
