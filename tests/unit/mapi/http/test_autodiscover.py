"""Requests of Autodiscover: read, or refused as no request (MS-OXDSCLI 2.2.3.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from quintet.auth.identity import Identity
from quintet.errors import BadSyntax
from quintet.mapi.http.autodiscover import JSON_PATH, SCHEMA, Asked, Autodiscover, find, parse
from quintet.mapi.nspi import names
from quintet.store import access, accounts, folders
from quintet.store.db import Tx
from quintet.store.store import Store
from tests.support.stores import store

__all__ = ["store"]

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


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "?Email=a@example.org&Protocol=autodiscoverv1", 200, {"Protocol": "AutodiscoverV1"}),
        (
            "GET",
            "/v1.0/a%40example.org?Protocol=AutodiscoverV1",
            200,
            {"Url": "https://here/autodiscover/autodiscover.xml"},
        ),
        ("GET", "?Protocol=AutodiscoverV1", 400, {"ErrorCode": "MandatoryParameterMissing"}),
        ("GET", "?Email=a@example.org", 400, {"ErrorCode": "MandatoryParameterMissing"}),
        ("GET", "?Email=a@example.org&Protocol=Ews", 400, {"ErrorCode": "InvalidProtocol"}),
        ("POST", "?Email=a@example.org&Protocol=AutodiscoverV1", 405, None),
    ],
)
async def test_json_tells_where_the_xml_is(method: str, path: str, status: int, told: Any) -> None:
    """MS-OXDSCLI: version 2 leads to version 1, for everybody the same."""
    none: Any = None  # of no use to this form
    discovery = Autodiscover(none, none, none, url=lambda: "https://here", hostname="h", listeners=list)
    answer: Any = await discovery.handle(make_mocked_request(method, JSON_PATH + path))
    assert answer.status == status
    if told is not None:
        assert answer.content_type == "application/json"
        assert told.items() <= json.loads(answer.body).items()


async def test_a_mailbox_that_is_shared_is_found_by_its_dn_too(store: Store) -> None:
    def work(tx: Tx) -> None:
        ann, bob = accounts.create(tx, "ann@example.org"), accounts.create(tx, "bob@example.org")
        me = Identity(bob.id, bob.name, "PLAIN", "mapi")
        asked = Asked("", names.of_object(ann.id, ann.name), SCHEMA)
        assert find(tx, me, asked) is None
        inbox = folders.find(tx, ann.id, "INBOX")
        assert inbox is not None
        access.grant(tx, inbox.id, "bob@example.org", "lr")
        found = find(tx, me, asked)
        assert found is not None
        assert (found.account.id, found.address) == (ann.id, "ann@example.org")

    await store.write(work)
