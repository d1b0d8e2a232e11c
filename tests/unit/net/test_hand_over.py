"""The roles turn around on one connection: what the session's side says as a client."""

from __future__ import annotations

import pytest

from quintet.net.memory import Talk, converse
from tests.unit.net.toy import Service, Store


@pytest.mark.parametrize("chunk", [1, 3, 1000])
async def test_roles_turn_around_in_every_chunking(chunk: int) -> None:
    store = Store()
    said = await converse(
        Service(store), b"ECHO one\r\nTURN\r\n220 you\r\n250 fine\r\nECHO no more\r\n", chunk
    )
    assert said == b"ready\r\none\r\nturning\r\nasked about 220 you\r\n"
    assert store.stored == [b"250 fine"]
    assert store.closed == 1


async def test_peer_that_goes_away_meanwhile_ends_the_connection() -> None:
    store = Store()
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"TURN\r\n220 you\r\n")
    assert not store.closed
    talk.transport.abort()
    await talk.transport.closed.wait()
    await talk.settle()
    assert (store.stored, store.closed) == ([], 1)


async def test_end_of_what_the_peer_sends_ends_it_too() -> None:
    store = Store()
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"TURN\r\n")
    await talk.end()
    assert (store.stored, store.closed) == ([], 1)


async def test_drain_cuts_it_off() -> None:
    store = Store()
    talk = Talk(Service(store))
    await talk.begin()
    await talk.send(b"TURN\r\n")
    talk.driver.abort()
    await talk.transport.closed.wait()
    await talk.settle()
    assert store.closed == 1
