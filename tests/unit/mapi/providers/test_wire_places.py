"""Where a mailbox on the wire is said to be: by who opens it, or by an answer of Autodiscover."""

from __future__ import annotations

import pytest

from quintet.errors import Hangup
from quintet.mapi.errors import Code
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
