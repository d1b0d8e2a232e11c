"""Servers that answer nonsense: it costs nobody anything, and the error is MAPI's."""

from __future__ import annotations

from typing import Any

import pytest

from quintet.mapi.errors import Code
from quintet.mapi.providers import imap
from tests.unit.mapi.providers.conformance import refused


class Copying:
    """As much of an IMAPClient as `imap._copied` needs."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def copy(self, uids: list[int], target: str) -> bytes:
        return self._answer


@pytest.mark.parametrize(
    "told,made",
    [
        (b"[COPYUID 9 3,5 11:12] done", {3: 11, 5: 12}),
        (b"[COPYUID 9 3,5 12:11] done", {3: 12, 5: 11}),
        (b"[COPYUID 9 1:4294967295 1:4294967295] done", {}),
        (b"[COPYUID 9 3,5 11] done", {3: 11}),
    ],
)
def test_copyuid_is_believed_of_what_was_asked(told: bytes, made: dict[int, int]) -> None:
    """RFC 4315 section 3; sets of four thousand million numbers are not written out."""
    client: Any = Copying(told)
    assert imap._copied(client, [3, 5], "Other", moving=False) == made


def test_a_fetch_that_leaves_out_what_was_asked_is_corrupt() -> None:
    refused(Code.CORRUPT_DATA, imap._told, {b"SEQ": 1}, b"FLAGS")
    refused(Code.CORRUPT_DATA, imap._told, {b"BODY[]": None}, b"BODY[]")


def test_a_body_structure_that_is_none_tells_nothing() -> None:
    deep: Any = (b"TEXT", b"PLAIN", None)
    for _ in range(5000):
        deep = ([deep], b"mixed")
    for one in ((), (b"TEXT",), None, deep):
        assert imap._kinds_of(one) == set()
    assert imap._kinds_of((10**12, 10**12, None)) == {b""}  # numbers are no lengths
    assert imap._kinds_of((b"TEXT", b"Calendar", None)) == {b"calendar"}
