"""Whatever is asked of the address book is answered, by a value or an error that NSPI has."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.config.address_book import AddressBook
from quintet.errors import BadSyntax
from quintet.mapi import restrict
from quintet.mapi.errors import Code
from quintet.mapi.nspi import bodies, consts, properties
from quintet.mapi.nspi import messages as m
from quintet.mapi.nspi.endpoint import PERMITTED, AddressBookEndpoint
from tests.property.mapi.test_nspi import body_of
from tests.support.stores import open_store
from tests.unit.mapi.nspi.desk import NAME, bound, people

KINDS = sorted(set(bodies.REQUESTS) - {"bind", "unbind"})
FINE = {consts.SUCCESS, consts.ERRORS_RETURNED, *map(int, PERMITTED), int(Code.INVALID_CODEPAGE)}
MID = st.integers(-12, 20)  # the n-th entry, or one of these
SPECIAL = (0, 1, 2, 0x10, 0x11, 0x12, 0x13, 0x14, 0x77, 0x7FFFFFF0, 0xFFFFFFFF)
TAG = st.sampled_from([tag for tag, _ in properties.PROPERTIES.values()]).flatmap(
    lambda tag: st.sampled_from((tag, tag & 0xFFFF0000, tag | 1, tag >> 16 << 16 | 0x1E))
)
STAT = st.builds(
    m.Stat, st.sampled_from((0, 3, 0x3E8, 0x3E9, 1)),
    st.sampled_from((0, 0x10, 0x11, 0x13, 0x8009000D, 0x800C000D, 0x8015000D, 77)), st.just(0),
    st.integers(-20, 20), st.integers(0, 30), st.integers(0, 30),
    st.sampled_from((1200, 1252, 0, 20261, 99)), st.just(1033), st.just(1033),
)  # fmt: skip
FILTER = st.one_of(
    st.builds(restrict.Exist, TAG),
    st.builds(lambda tag: restrict.Not(restrict.Exist(tag)), TAG),
    st.sampled_from("abz$").map(
        lambda text: restrict.Property(restrict.Relation.EQUAL, 0x360C001F, (0x360C001F, text))
    ),
    st.sampled_from("abz$").map(
        lambda text: restrict.Content(restrict.Where.SUBSTRING, 1, NAME, (NAME, text))
    ),
    st.builds(lambda tag: restrict.Property(restrict.Relation.GREATER, tag, (0x39000003, 0)), TAG),
)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "state": STAT, "mid": MID, "first": MID, "second": MID, "count": st.integers(0, 40), "filter": FILTER,
    "mids": st.lists(MID, max_size=5).map(tuple), "table": st.lists(MID, max_size=5).map(tuple),
    "columns": st.lists(TAG, max_size=6).map(tuple), "tags": st.lists(TAG, max_size=6).map(tuple),
    "delta": st.integers(-20, 20), "target": st.just((NAME, "c")),
    "names": st.lists(st.sampled_from(("alice", "b", "=zoe", "$sales", "")), max_size=3).map(tuple),
}  # fmt: skip


@st.composite
def requests(draw: st.DrawFn, kind: str) -> Any:
    """Any request, mostly with such values as mean something here."""
    made: Any = draw(body_of(kind, bodies.REQUESTS, answer=False))
    wanted = [one.name for one in fields(made) if one.name in LIKELY and draw(st.integers(0, 5))]
    if kind == "dntominid":
        wanted = []  # names in bytes
    return replace(made, **{name: draw(LIKELY[name]) for name in wanted})


def placed(request: Any, mids: list[int]) -> Any:
    """Places instead of ids become ids."""

    def at(place: int) -> int:
        return mids[place % len(mids)] if place < 0x100 else place

    changes: dict[str, Any] = {}
    for one in fields(request):
        value = getattr(request, one.name)
        if one.name in ("mid", "first", "second"):
            changes[one.name] = at(value)
        elif one.name == "mids" or (one.name == "table" and value is not None):
            changes[one.name] = tuple(map(at, value or ()))
        elif one.name == "state" and value is not None:
            changes[one.name] = replace(value, current=at(value.delta & 0xFF))
    return replace(request, **changes)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, Any], Any]]:
    """Asks an endpoint that runs on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    opening = open_store(tmp_path_factory.mktemp("nspi"))
    store = do(opening.__aenter__())
    do(store.write(people))
    endpoint = AddressBookEndpoint(store, AddressBook, "mail.example.org", lambda: "https://mail.example.org")
    session = do(bound(endpoint, store, "alice@example.org"))
    mids = [entry.mid for entry in do(endpoint.directory.view()).entries]

    def asked(kind: str, request: Any) -> Any:
        body = bodies.write_request(kind, placed(request, [*mids, *SPECIAL]))
        return bodies.read_response(kind, do(endpoint.answer(session, kind, body)))

    yield asked
    do(opening.__aexit__(None, None, None))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_everything_is_answered(ask: Callable[[str, Any], Any], kind: str, data: st.DataObject) -> None:
    try:
        answer = ask(kind, data.draw(requests(kind)))
    except BadSyntax:  # a restriction that no endpoint takes
        return
    assert answer.error in FINE or kind == "compareminids"
