"""Servers that answer nonsense: it costs nobody anything, and the error is MAPI's."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quintet.mapi.errors import Code
from quintet.mapi.providers import imap, nntp
from quintet.mapi.providers.news import Groups
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


@pytest.fixture
def news(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], nntp.Connection]]:
    """A connection to a server that says what it is told, whatever it hears."""
    ends: list[socket.socket] = []

    def connect(said: bytes) -> nntp.Connection:
        ours, theirs = socket.socketpair()
        ends.append(theirs)
        monkeypatch.setattr(socket, "create_connection", lambda *_: ours)
        theirs.sendall(b"200 here\r\n200 here\r\n" + said)
        theirs.shutdown(socket.SHUT_WR)
        return nntp.Connection("news", 119, context=None, starttls=False, user="", password="")

    yield connect
    for one in ends:
        one.close()


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "١", "²", "1" * 17, b"\xb2", b"1 "])
def test_article_numbers_are_digits(text: str | bytes) -> None:
    """RFC 3977 9.8: article-number = 1*16DIGIT; `int` takes much else."""
    assert nntp.number_of(text) is None


def test_numbers_of_a_news_server_that_are_none_are_passed_over(
    news: Callable[[bytes], nntp.Connection],
) -> None:
    listed = b"215 \r\na.b 2 1 y\r\na.c \xc2\xb2 1 y\r\na.d " + b"9" * 5000 + b" 1 y\r\na.e 2\r\n.\r\n"
    connection = news(listed + b"211 2 1 2 a.b\r\n1\r\n\r\nx\r\n-4\r\n2\r\n.\r\n211 2 1 2 a.b\r\n")
    groups = Groups(lambda: connection, "*", None)
    assert [place.path for place in groups.places()] == ["a.b"]
    assert groups.keys("a.b") == ["1", "2"]
    assert groups.marks("a.b", ["1", "²", "x"]).keys() == {"1"}
    refused(Code.NOT_FOUND, groups.message, "a.b", "1\r\nPOST")
    connection.close()


def test_an_answer_of_news_has_an_end(
    news: Callable[[bytes], nntp.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nntp, "MAX_ANSWER", 100)
    connection = news(b"215 \r\n" + b"x" * 48 + b"\r\n" + b"y" * 48 + b"\r\n.\r\n215 \r\n" + b"z\r\n" * 40)
    assert len(list(connection.lines("LIST", 215))) == 2
    with pytest.raises(ConnectionError):
        list(connection.lines("LIST", 215))
    for wrong in ("GROUP a\r\nQUIT", "GROUP \udc80"):
        refused(Code.INVALID_PARAMETER, connection.ask, wrong, 211)
    connection.close()
