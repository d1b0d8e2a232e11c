"""Which MTA-STS policy holds now: remembered, asked for again, never taken back by silence.

RFC 8461 3.3, 5.1, 8.3, 10.2.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.clock import FrozenClock
from quintet.config.store import Store as StoreConfig
from quintet.delivery.stsstore import StsPolicies
from quintet.net.mtasts import FETCH_ERROR, FetchFailed, StsPolicy
from quintet.store import promises
from quintet.store.store import Store
from tests.support.dnszone import DnsServer, dns_server

DAY_S = 86_400
ENFORCED = StsPolicy("enforce", 7 * DAY_S, ("mx.example.com",))
TESTED = StsPolicy("testing", 7 * DAY_S, ("mx.example.com",))


class Web:
    """Stands for the web server of every domain."""

    def __init__(self) -> None:
        self.policy: StsPolicy | None = ENFORCED
        self.raw: bytes | None = None
        self.asked = 0

    async def fetch(self, domain: str) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if self.raw is not None:
            return self.raw
        if self.policy is None:
            raise FetchFailed(FETCH_ERROR, f"mta-sts.{domain} answers 404")
        return self.policy.text().encode()


class World:
    def __init__(self, store: Store, zone: DnsServer, clock: FrozenClock) -> None:
        self.store, self.zone, self.clock, self.web = store, zone, clock, Web()
        self.told: list[tuple[str, str]] = []
        self.sts = self.made()

    def made(self) -> StsPolicies:
        """What a process that begins has."""
        return StsPolicies(
            self.store,
            self.zone.resolver(cache=0),
            self.web,  # type: ignore[arg-type]  # it has the one method
            clock=self.clock,
            trouble=lambda domain, kind, _: self.told.append((domain, kind)),
        )

    def publish(self, version: str | None) -> None:
        self.zone.records.clear()
        if version:
            self.zone.add(f'_mta-sts.example.com. TXT "v=STSv1; id={version}"')


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = FrozenClock()
    store = await Store.open(StoreConfig(data=str(tmp_path / "data"), sync="off"), clock=clock)
    async with dns_server() as zone:
        made = World(store, zone, clock)
        made.publish("1")
        yield made
    await store.close()


async def test_policy_is_fetched_once_and_survives_a_restart(world: World):
    assert await world.sts.find("example.com") == ENFORCED
    world.sts = world.made()
    assert await world.sts.find("example.com") == ENFORCED
    assert world.web.asked == 1


async def test_domain_without_a_record_has_none_and_no_web_server_is_asked(world: World):
    world.publish(None)
    assert await world.sts.find("example.com") is None
    assert world.web.asked == 0


async def test_those_who_ask_at_once_share_a_fetch(world: World):
    found = await asyncio.gather(*(world.sts.find("example.com") for _ in range(10)))
    assert found == [ENFORCED] * 10
    assert world.web.asked == 1


async def test_new_id_brings_a_new_policy(world: World):
    await world.sts.find("example.com")
    world.web.policy = TESTED
    assert await world.sts.find("example.com") == ENFORCED
    world.publish("2")
    assert await world.sts.find("example.com") == TESTED


@pytest.mark.parametrize("how", ("no record", "no answer", "no web server", "no policy"))
async def test_known_policy_holds_whatever_happens_later(world: World, how: str):
    # RFC 8461 3.3, 10.2: whoever suppresses it must do so before the first time
    await world.sts.find("example.com")
    if how == "no record":
        world.publish(None)
    elif how == "no answer":
        world.zone.break_("_mta-sts.example.com")
    else:
        world.publish("2")
        world.web.policy, world.web.raw = None, b"<html>" if how == "no policy" else None
    assert await world.sts.find("example.com") == ENFORCED
    world.clock.advance(8 * DAY_S)
    assert await world.sts.find("example.com") is None


async def test_fetch_that_fails_is_not_tried_again_for_five_minutes(world: World):
    # RFC 8461 3.3: per id
    world.web.policy = None
    assert await world.sts.find("example.com") is None
    assert await world.sts.find("example.com") is None
    assert world.web.asked == 1
    assert world.told == [("example.com", FETCH_ERROR)]
    world.publish("2")
    await world.sts.find("example.com")
    assert world.web.asked == 2
    world.clock.advance(301)
    world.web.policy = ENFORCED
    assert await world.sts.find("example.com") == ENFORCED


async def test_policy_is_refreshed_once_a_day_and_then_holds_longer(world: World):
    await world.sts.find("example.com")
    world.publish(None)  # regardless of the record: RFC 8461 10.2
    for day in range(1, 10):
        world.clock.advance(DAY_S + 1)
        assert await world.sts.refresh() is False
        assert world.web.asked == 1 + day
    assert await world.sts.find("example.com") == ENFORCED
    await world.sts.refresh()
    assert world.web.asked == 10


async def test_refresh_that_fails_is_said_and_harms_nothing(world: World):
    await world.sts.find("example.com")
    world.web.policy = None
    world.clock.advance(2 * DAY_S)
    await world.sts.refresh()
    assert world.told == [("example.com", FETCH_ERROR)]
    kept = world.store.peek(promises.find, "example.com")
    assert kept is not None
    assert kept.error == f"{FETCH_ERROR}: mta-sts.example.com answers 404"
    await world.sts.refresh()
    assert world.web.asked == 2  # not at once again
    assert await world.sts.find("example.com") == ENFORCED


async def test_policy_none_goes_without_complaint(world: World):
    # RFC 8461 8.3
    world.web.policy = StsPolicy("none", 7 * DAY_S, ())
    found = await world.sts.find("example.com")
    assert found is not None
    assert found.mode == "none"
    world.web.policy = None
    world.clock.advance(2 * DAY_S)
    await world.sts.refresh()
    assert world.told == []


async def test_what_nobody_asks_for_is_not_refreshed_and_runs_out(world: World):
    world.web.policy = StsPolicy("enforce", 365 * DAY_S, ("mx.example.com",))
    await world.sts.find("example.com")
    world.clock.advance(31 * DAY_S)
    await world.sts.refresh()
    assert world.web.asked == 1
    await world.sts.find("example.com")  # somebody does
    await world.sts.refresh()
    assert world.web.asked == 2
    world.clock.advance(366 * DAY_S)
    await world.sts.refresh()
    assert world.store.peek(promises.listing, 10) == []


async def test_store_keeps_no_more_than_it_should(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(promises, "MAX_PROMISES", 3)
    expires_at = world.clock.now() + DAY_S * 1000
    for number in range(5):
        await world.store.write(promises.put, f"d{number}.test", "1", ENFORCED.text(), expires_at, number)
    assert await world.store.write(promises.tidy) == 2
    assert [each.domain for each in world.store.peek(promises.listing, 10)] == [
        "d2.test",
        "d3.test",
        "d4.test",
    ]
    assert await world.store.write(promises.forget, "d2.test") is True
    assert await world.store.write(promises.forget, "d2.test") is False
