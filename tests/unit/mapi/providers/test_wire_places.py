"""Where a mailbox on the wire is said to be: by who opens it, or by an answer of Autodiscover."""

from __future__ import annotations

import pytest

from quintet.errors import Hangup
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.http.client import Line
from quintet.mapi.providers import registry
from quintet.mapi.providers.wire import discover
from tests.unit.mapi.providers.conformance import refused

ANN = "ann@example.com"
ASKED = "https://mail.example.com/autodiscover/autodiscover.xml"


@pytest.mark.parametrize("path", ["", "/autodiscover.xml"])
@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "ftp://mail",
        "http://",
        "http://h:99999",
        "http://h:x",
        "http://[::1",
        "http://a b",
    ],
)
def test_what_is_no_address_is_refused(url: str, path: str) -> None:
    settings = {"url": url + path, "address": ANN, "password": "pw"}
    assert refused(Code.INVALID_PARAMETER, registry.opened, "MAPIHTTP", settings)


def test_name_that_nobody_can_have_is_no_connection() -> None:
    line = Line(f"http://{'a' * 70}.example/", lambda: "Basic")
    with pytest.raises(Hangup) as caught:
        line.post({}, b"")
    assert "a" * 70 in caught.value.text


def _answer(store: str, book: str = "") -> bytes:
    return (
        '<Autodiscover><Response><Account><Protocol Type="mapiHttp">'
        f"<MailStore><ExternalUrl>{store}</ExternalUrl></MailStore>"
        f"<AddressBook><ExternalUrl>{book}</ExternalUrl></AddressBook>"
        "</Protocol></Account></Response></Autodiscover>"
    ).encode()


def _answered(monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, str], body: bytes) -> None:
    monkeypatch.setattr(discover, "_ask", lambda *_: (status, headers, body))


def test_endpoints_are_taken_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _answered(monkeypatch, 200, {}, _answer("https://h/mapi", "https://h/nspi"))
    found = discover.find(ANN, "Basic", url=ASKED)
    assert found == discover.Found("https://h/mapi", "https://h/nspi")


@pytest.mark.parametrize("store,book", [("http://h/mapi", ""), ("https://h/mapi", "http://h/nspi")])
def test_no_password_in_the_open_because_an_answer_said_so(
    monkeypatch: pytest.MonkeyPatch, store: str, book: str
) -> None:
    _answered(monkeypatch, 200, {}, _answer(store, book))
    assert refused(Code.NOT_FOUND, discover.find, ANN, "Basic", url=ASKED)


def test_answer_that_leads_to_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    _answered(monkeypatch, 302, {"location": "http://[::1"}, b"")
    assert refused(Code.NOT_FOUND, discover.find, ANN, "Basic", url=ASKED)
    _answered(monkeypatch, 200, {}, _answer("https://h:99999/"))
    assert refused(Code.INVALID_PARAMETER, discover.find, ANN, "Basic", url=ASKED)


class Hosts:
    """Servers by their addresses, each with what it answers; nobody is at any other one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, bytes]]) -> None:
        self._answers = answers
        self.asked: list[str] = []
        self.trusted: set[str] = set()  # those that were told the password
        monkeypatch.setattr(discover, "_say", self._say)

    def _say(
        self, method: str, place: str, said: str | None, headers: dict[str, str], context: object
    ) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(f"{method} {place}")
        if "Authorization" in headers:
            self.trusted.add(place)
        if place not in self._answers:
            raise MapiError(Code.NETWORK_ERROR, "nobody there")
        status, body = self._answers[place]
        return status, {"location": body.decode()} if status == 302 else {}, body


FIRST = "https://example.com/autodiscover/autodiscover.xml"
SECOND = "https://autodiscover.example.com/autodiscover/autodiscover.xml"
JSON = "https://example.com/autodiscover/autodiscover.json/v1.0/ann%40example.com?Protocol=AutodiscoverV1"


def test_second_version_tells_where_the_first_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked where somebody is, without the password, when the usual places told nothing."""
    told = b'{"Protocol": "AutodiscoverV1", "Url": "https://mail.example.com/autodiscover/autodiscover.xml"}'
    hosts = Hosts(
        monkeypatch,
        {
            FIRST: (404, b""),
            JSON: (302, b"/elsewhere"),
            "https://example.com/elsewhere": (200, told),
            ASKED: (200, _answer("https://h/mapi")),
        },
    )
    assert discover.find(ANN, "Basic") == discover.Found("https://h/mapi")
    assert hosts.asked == [
        f"POST {FIRST}", f"POST {SECOND}", f"GET {JSON}", "GET https://example.com/elsewhere", f"POST {ASKED}"
    ]  # fmt: skip
    assert hosts.trusted == {FIRST, SECOND, ASKED}


@pytest.mark.parametrize(
    "told,code",
    [
        (b'{"Url": "http://mail.example.com/"}', Code.NOT_FOUND),
        (b'{"Url": "nowhere"}', Code.INVALID_PARAMETER),
        (b'{"Url": 7}', Code.CORRUPT_DATA),
        (b"{}", Code.CORRUPT_DATA),
        (b"[]", Code.CORRUPT_DATA),
        (b"[" * 100_000, Code.CORRUPT_DATA),
        (b"\xff", Code.CORRUPT_DATA),
    ],
)
def test_nonsense_of_the_second_version_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, told: bytes, code: Code
) -> None:
    hosts = Hosts(monkeypatch, {FIRST: (404, b""), JSON: (200, told)})
    assert refused(code, discover.find, ANN, "Basic")
    assert hosts.asked[-1] == f"GET {JSON}"
