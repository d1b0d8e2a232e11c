"""Guessing gets slow, owners get in."""

import asyncio

import pytest

from quintet.auth import throttle
from quintet.clock import FrozenClock
from quintet.errors import Reason, Refused, TryLater
from tests.unit.auth.conftest import House, peer

ALICE = "alice@example.org"
SECRET = "alice's secret"


def fail(guard: throttle.Throttle, address: str, count: int, name: str = ALICE) -> None:
    for i in range(count):
        guard.failed(address, name, f"guess {i}")


def test_address_that_fails_waits_longer_and_longer_and_is_forgiven_with_time() -> None:
    clock = FrozenClock()
    guard = throttle.Throttle(clock)
    delays = []
    for i in range(12):
        delays.append(guard.delay("192.0.2.1", f"user{i}"))
        guard.failed("192.0.2.1", f"user{i}", "x")
    assert delays[:4] == [0, 0, 0, 0]
    assert delays[4:] == [0.5, 1, 2, 4, 8, 15, 15, 15]
    assert guard.delay("192.0.2.2", "user") == 0
    clock.advance(throttle.HALF_LIFE_S * 2)
    assert guard.delay("192.0.2.1", "user") == 0


def test_ipv6_prefix_is_one_address_and_networks_are_patient() -> None:
    guard = throttle.Throttle(FrozenClock())
    for i in range(6):
        guard.failed(f"2001:db8::{i}", f"user{i}", "x")
    assert guard.delay("2001:db8::ffff", "bob") == 2
    assert guard.delay("2001:db8:0:1::1", "bob") == 0
    for i in range(4 * throttle.NETWORK_PATIENCE + 20):
        guard.failed(f"198.51.100.{i}", f"user{i}", "x")
    assert guard.delay("198.51.100.200", "bob") > 0
    assert guard.delay("198.51.101.1", "bob") == 0


def test_guessed_account_costs_strangers_seconds_and_its_owner_nothing() -> None:
    clock = FrozenClock()
    guard = throttle.Throttle(clock)
    guard.succeeded("203.0.113.7", ALICE)
    for i in range(500):
        guard.failed(f"10.{i % 250}.{i // 250}.1", ALICE, f"guess {i}")
    assert guard.delay("203.0.113.7", ALICE) == 0
    assert guard.delay("203.0.113.8", ALICE) == 3
    assert guard.delay("203.0.113.8", "bob@example.org") == 0


def test_known_address_is_no_way_to_guess_without_end() -> None:
    guard = throttle.Throttle(FrozenClock())
    guard.succeeded("192.0.2.1", ALICE)
    fail(guard, "192.0.2.1", 10)
    assert guard.delay("192.0.2.1", ALICE) == 0
    assert guard.delay("192.0.2.1", "bob@example.org") == 15  # known to alice only
    fail(guard, "192.0.2.1", 20)
    assert guard.delay("192.0.2.1", ALICE) == 3
    guard.succeeded("192.0.2.1", ALICE)
    assert guard.delay("192.0.2.1", ALICE) == 0


def test_same_wrong_password_again_is_no_new_guess() -> None:
    guard = throttle.Throttle(FrozenClock())
    assert guard.failed("192.0.2.1", ALICE, "old password")
    assert not any(guard.failed("192.0.2.1", ALICE, "old password") for _ in range(1000))
    assert guard.delay("192.0.2.1", ALICE) == 0


def test_this_machine_counts_by_account_only() -> None:
    guard = throttle.Throttle(FrozenClock())
    for address in ("127.0.0.1", "::1", "unix"):
        fail(guard, address, 20, "bob@example.org")
        assert guard.delay(address, ALICE) == 0
        assert guard.delay(address, "bob@example.org") == 3


def test_tables_are_bounded(monkeypatch) -> None:
    for name in ("MAX_ADDRESSES", "MAX_ACCOUNTS", "MAX_KNOWN"):
        monkeypatch.setattr(throttle, name, 10)
    guard = throttle.Throttle(FrozenClock())
    for i in range(200):
        guard.failed(f"10.0.{i}.1", f"user{i}", "x")
        guard.succeeded(f"10.0.{i}.1", f"user{i}")
    tables = (guard._addresses, guard._networks, guard._accounts, guard._pairs, guard._known)
    assert max(len(table) for table in tables[:4]) <= 16  # whole rows of eight
    assert guard._known.count() <= 16


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.77", ("192.0.2.77", "192.0.2.0/24")),
        ("::ffff:192.0.2.77", ("192.0.2.77", "192.0.2.0/24")),
        ("2001:db8:1:2:3::4", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
        ("::1", ("::/64", "::/48")),
        ("fe80::1%eth0", ("fe80::/64", "fe80::/48")),
        ("memory", ("memory", "memory")),
    ],
)
def test_blocks(address: str, expected: tuple[str, str]) -> None:
    assert throttle.blocks(address) == expected


async def test_service_delays_guesses_and_lets_the_owner_in(house: House) -> None:
    home, away = peer("203.0.113.7"), peer("203.0.113.99")
    await house.auth.password(ALICE, SECRET, home, "imap")
    for i in range(60):
        with pytest.raises(Refused):
            await house.auth.password(ALICE, f"guess {i}", peer(f"10.1.{i}.1"), "imap")
    assert max(house.slept) == 3
    house.slept.clear()
    await house.auth.password(ALICE, SECRET, home, "pop3")
    assert house.slept == []
    await house.again(remember_s=0).password(ALICE, SECRET, away, "imap")
    assert (await house.auth.password(ALICE, SECRET, away, "imap")).name == ALICE
    assert house.slept == []  # the secret was remembered, which no guesser has


async def test_right_password_from_a_new_place_is_delayed_by_seconds_only(house: House) -> None:
    for i in range(60):
        with pytest.raises(Refused):
            await house.auth.password(ALICE, f"guess {i}", peer(f"10.1.{i}.1"), "imap")
    house.slept.clear()
    assert await house.auth.password(ALICE, SECRET, peer("203.0.113.99"), "imap")
    assert house.slept == [3]
    assert await house.auth.password(ALICE, SECRET, peer("203.0.113.99"), "imap")
    assert house.slept == [3]


async def test_delayed_logins_of_one_address_are_bounded(house: House) -> None:
    for i in range(12):
        with pytest.raises(Refused):
            await house.auth.password(f"user{i}", "x", peer(), "imap")
    gate = asyncio.Event()

    async def wait(delay_s: float) -> None:
        await gate.wait()

    house.auth.gate._sleep = wait
    waiting = [asyncio.ensure_future(house.auth.password("u", f"{i}", peer(), "imap")) for i in range(8)]
    await asyncio.sleep(0)
    with pytest.raises(TryLater) as caught:
        await house.auth.password("u", "x", peer(), "imap")
    assert caught.value.reason is Reason.THROTTLED
    assert await house.auth.password(ALICE, SECRET, peer("203.0.113.1"), "imap")  # others go on
    gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {Refused}
    assert house.auth.gate._waiting == {}


async def test_scram_guesses_are_delayed_too(house: House) -> None:
    from quintet.auth import client
    from tests.unit.auth.test_sasl import talk

    for i in range(8):
        with pytest.raises(Refused):
            await talk(house.auth, client.Scram("SCRAM-SHA-256", ALICE, f"guess {i}", "abc"), "SCRAM-SHA-256")
    assert house.slept == pytest.approx([0.5, 1, 2, 4], rel=0.05)  # waiting itself lets counts decay


def test_workers_count_together_and_restarts_go_on(tmp_path) -> None:
    clock = FrozenClock()
    first, second = (throttle.Throttle(clock, run=tmp_path, key=b"k") for _ in range(2))
    for i in range(3):
        assert first.failed("192.0.2.1", f"user{i}", "x")
        assert second.failed("192.0.2.1", f"user{i}", "y")
    assert first.delay("192.0.2.1", "bob") == second.delay("192.0.2.1", "bob") == 2
    assert not second.failed("192.0.2.1", "user0", "x")  # the other one has seen that guess
    first.succeeded("203.0.113.7", ALICE)
    for i in range(50):
        second.failed(f"10.0.{i}.1", ALICE, f"guess {i}")
    third = throttle.Throttle(clock, run=tmp_path, key=b"k")
    assert third.delay("203.0.113.7", ALICE) == 0
    assert third.delay("203.0.113.8", ALICE) == 3
    third.forget(ALICE)
    assert first.delay("203.0.113.8", ALICE) == 0
    third.forget("192.0.2.1")
    assert first.delay("192.0.2.1", "bob") == 0


def test_wrong_secrets_are_not_to_be_read_in_the_shared_files(tmp_path) -> None:
    guard = throttle.Throttle(FrozenClock(), run=tmp_path, key=b"k")
    guard.failed("192.0.2.1", ALICE, "tiger and swan")
    assert not any("tiger" in name for name in guard._seen._places)
    assert not any(b"tiger" in path.read_bytes() for path in tmp_path.iterdir())


def test_clock_that_was_set_back_delays_nobody_beyond_the_longest() -> None:
    clock = FrozenClock()
    guard = throttle.Throttle(clock)
    fail(guard, "192.0.2.1", 5)
    clock.advance(-40 * 86400)
    assert guard.delay("192.0.2.1", ALICE) == 15
    fail(guard, "192.0.2.1", 5)
