"""Requests of Autodiscover: read, or refused as no request (MS-OXDSCLI 2.2.3.1)."""

from __future__ import annotations

import pytest

from quintet.errors import BadSyntax
from quintet.mapi.http.autodiscover import SCHEMA, Asked, parse

ASK = (
    "<Autodiscover xmlns='x'><Request><EMailAddress>a@example.org</EMailAddress>"
    f"<AcceptableResponseSchema>{SCHEMA}</AcceptableResponseSchema></Request></Autodiscover>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_request_is_read_in_any_encoding_of_expats(encoding: str) -> None:
    raw = f"<?xml version='1.0' encoding='{encoding}'?>{ASK}".encode(encoding)
    assert parse(raw) == Asked("a@example.org", "", SCHEMA)


@pytest.mark.parametrize("encoding", ["nonsense", "hex", "utf-7", "euc-jp", "idna", "punycode"])
def test_an_encoding_that_is_none_is_no_request(encoding: str) -> None:
    with pytest.raises(BadSyntax):
        parse(f"<?xml version='1.0' encoding='{encoding}'?>{ASK}".encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<Autodiscover/>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
        b"<a>" * 17 + b"</a>" * 17,
    ],
)
def test_what_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadSyntax):
        parse(body)
