"""The client's side of the framing: cookies, metatags, failures (MS-OXCMAPIHTTP 2.2.7, 3.1.5)."""

from __future__ import annotations

import re

import pytest

from quintet.mapi.http.channel import Channel, ChannelError

OK = [("X-ResponseCode", "0"), ("Content-Type", "application/mapi-http")]


class Server:
    """Gives prepared answers and notes what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def post(self, headers, body):
        self.asked.append((dict(headers), body))
        return self.answers.pop(0)


def test_cookies_go_back_as_the_latest_answer_had_them():
    """MS-OXCMAPIHTTP_R1148 to R1150; R130: one instance, counting requests."""
    tags = b"PROCESSING\r\nPENDING\r\nDONE\r\nX-ElapsedTime: 3\r\n\r\n"
    cookies = [("Set-Cookie", "MapiContext=a; path=/mapi; HttpOnly"), ("set-cookie", "MapiSequence=1")]
    server = Server(
        (200, OK + cookies, tags + b"one"),
        (200, [*OK, ("Set-Cookie", "MapiSequence=2")], tags + b"two"),
        (200, OK, tags),
    )
    channel = Channel(server.post)
    assert channel.ask("Bind", b"x") == b"one"
    assert channel.ask("QueryRows") == b"two"
    assert channel.ask("Unbind") == b""
    heads = [headers for headers, _ in server.asked]
    assert [head.get("Cookie") for head in heads] == [
        None, "MapiContext=a; MapiSequence=1", "MapiContext=a; MapiSequence=2"
    ]  # fmt: skip
    assert [head["X-RequestType"] for head in heads] == ["Bind", "QueryRows", "Unbind"]
    ids = [head["X-RequestId"].rpartition(":") for head in heads]
    assert len({guid for guid, _, _ in ids}) == 1
    assert [number for _, _, number in ids] == ["1", "2", "3"]
    assert re.fullmatch(r"\{[0-9A-F-]{36}\}", ids[0][0])
    channel.forget()
    server.answers.append((200, OK, b"DONE\r\n\r\n"))
    channel.ask("Bind")
    assert "Cookie" not in server.asked[-1][0]


def test_a_request_beside_another_leaves_its_sequence_alone():
    """MS-OXCMAPIHTTP_R1170, R1150: who waited has the sequence of when that began."""
    tags = b"PROCESSING\r\nDONE\r\n\r\n"

    def counted(number):
        return [*OK, ("Set-Cookie", f"MapiSequence={number}")]

    server = Server((200, [*counted(1), ("Set-Cookie", "MapiContext=a")], tags), (200, counted(2), tags))
    waits = Server((200, counted(1), tags))
    channel = Channel(server.post)
    channel.ask("Connect")
    beside = channel.beside(waits.post)
    channel.ask("Execute")
    beside.ask("NotificationWait")
    assert "MapiContext=a" in waits.asked[0][0]["Cookie"]
    server.answers.append((200, counted(3), tags))
    channel.ask("Execute")
    assert "MapiSequence=2" in server.asked[-1][0]["Cookie"]


def test_a_body_that_looks_like_a_metatag_is_a_body():
    server = Server((200, OK, b"DONE\r\nX-StartTime: now\r\n\r\nPENDING\r\nDONE\r\n"))
    assert Channel(server.post).ask("Bind") == b"PENDING\r\nDONE\r\n"


@pytest.mark.parametrize(
    ("answer", "code", "lost"),
    [
        ((401, [], b""), None, False),
        ((200, [("X-ResponseCode", "10")], b"gone\n"), 10, True),
        ((200, [("X-ResponseCode", "5")], b"no such type\n"), 5, False),
        ((200, OK, b"PROCESSING\r\nDONE\r\nX-ResponseCode: 18\r\n\r\nending"), 18, False),  # R2229, R2230
        ((200, OK, b"PROCESSING\r\nPENDING\r\n"), None, False),
        ((200, OK, b"PROCESSING\r\nDONE\r\nX-ElapsedTime: 3"), None, False),
        ((200, OK, b"<html>"), None, False),
        ((200, [("X-ResponseCode", "x")], b""), None, False),
        ((200, OK, b"PENDING\r\n" * 10_001), None, False),
        ((200, OK, b"DONE\r\n" + b"A: b\r\n" * 10_001), None, False),
    ],
)
def test_failures(answer, code, lost):
    with pytest.raises(ChannelError) as caught:
        Channel(Server(answer).post).ask("Bind")
    assert (caught.value.code, caught.value.lost) == (code, lost)
    assert "HTTP" in str(caught.value)
