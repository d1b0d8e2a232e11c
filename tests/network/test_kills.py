"""Hosts of a chain killed at any moment: whatever was acknowledged arrives, and comes twice only where SMTP
cannot help it (RFC 5321 4.5.3.2.6, 6.1: somebody died after the final dot).

``QUINTET_SEED=...`` makes the same random choices again.
"""

from __future__ import annotations

import asyncio
import email
import gc
import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support.network import Network, missing, network
from tests.support.nexthost import NextHost
from tests.support.posting import post, post_all
from tests.support.relays import Quintet

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]

ALICE, BOB = "alice@start.test", "bob@end.test"
TIME_S = 180.0
KILLS = 10
SESSIONS = 5  # to one destination
UNDER_WAY = 1  # messages of one session that were taken and are not yet written down


async def until(holds: Callable[[], bool], net: Network) -> None:
    end = time.monotonic() + TIME_S
    while not holds():
        assert time.monotonic() < end, "".join(f"== {h.name}\n{h.log}" for h in net.hosts.values())
        await asyncio.sleep(0.05)


def idents_of(peer: NextHost) -> Counter[str]:
    return Counter(email.message_from_bytes(text)["Message-ID"] for text in peer.messages)


async def test_relay_and_last_host_killed_at_random_moments_lose_nothing() -> None:
    """a -> b -> c under load; now b is killed, now c, now both."""
    seed = int(os.environ.get("QUINTET_SEED", time.time_ns() % 1_000_000))
    print(f"QUINTET_SEED={seed}")
    rng = random.Random(seed)
    async with network() as net:
        last = Quintet(net, "c.test", users=(BOB,))
        relay = Quintet(net, "b.test", {"end.test": "c.test"})
        first = Quintet(net, "a.test", {"end.test": "b.test"})
        everyone = (last, relay, first)
        taken: list[str] = []
        number = 0

        async def load() -> None:
            nonlocal number
            while True:
                idents = [f"{number + one}@kill.test" for one in range(60)]
                number += len(idents)
                taken.extend(await post_all(net, "a.test", idents, BOB, connections=4))

        try:
            for each in everyone:
                await each.start()
            loading = asyncio.create_task(load())
            for _ in range(KILLS):
                await asyncio.sleep(rng.uniform(0.05, 0.6))
                dying = rng.choice(([relay], [last], [relay, last]))
                for each in dying:
                    each.kill()
                for each in dying:
                    await each.start()
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
            await until(lambda: first.waiting() == relay.waiting() == [], net)
            arrived = last.arrived(BOB)
            lost = [ident for ident in taken if f"<{ident}>" not in arrived]
            assert lost == []
            doubles = sum(arrived.values()) - len(arrived)
            print(
                f"{KILLS} rounds, {len(taken)} acknowledged, {len(arrived)} arrived, {doubles} more than once"
            )
            assert len(taken) > 10 * KILLS  # there was a load worth the name
            assert doubles <= 2 * KILLS * SESSIONS * UNDER_WAY
            for each in everyone:
                await each.end()
        finally:
            for each in everyone:
                each.close()


async def test_peer_that_dies_after_the_message_gets_it_again_and_one_before_it_only_once() -> None:
    """Died after the final dot, unsaid: it must come again.  Died between recipients: nobody had it yet."""
    async with network("end.test MX 10 a.test.") as net:
        first = Quintet(net, "s.test", users=(ALICE,))
        peer = NextHost(dies="body")
        await net.answering("a.test", peer)
        try:
            await first.start()
            assert await post(net, "s.test", ["dot@kill.test"], [BOB], sender=ALICE)
            await until(lambda: len(peer.messages) >= 2, net)
            peer.dies = ""
            await until(lambda: first.waiting() == [], net)
            assert idents_of(peer)["<dot@kill.test>"] >= 3  # it came again, whole, until somebody said 250
            assert len({email.message_from_bytes(each).get_payload() for each in peer.messages}) == 1

            peer.messages.clear()
            peer.replies["RCPT TO:<EVE@"] = ""  # hangs up between two recipients
            many = ["ann@end.test", "eve@end.test", "zoe@end.test"]
            assert await post(net, "s.test", ["rcpt@kill.test"], many, sender=ALICE)
            await until(lambda: sum(line.startswith("RCPT TO:<eve@") for line in peer.heard) >= 2, net)
            assert peer.messages == []
            assert sorted(first.waiting()) == many
            peer.replies.clear()
            peer.heard.clear()
            await until(lambda: first.waiting() == [], net)
            assert idents_of(peer) == {"<rcpt@kill.test>": 1}
            assert sum(line.startswith("RCPT TO:") for line in peer.heard) == 3
            assert first.count(ALICE) == 0
        finally:
            first.close()


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8])
async def test_client_that_is_cancelled_while_it_connects_leaves_no_socket(turns: int) -> None:
    """What the hosts of a test are loaded with ends at any moment: an unclosed socket would fail the test."""
    async with network() as net:
        await net.answering("a.test", NextHost())
        clients = [asyncio.create_task(post(net, "a.test", ["1@kill.test"], [BOB])) for _ in range(8)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for each in clients:
            each.cancel()
        ended = await asyncio.gather(*clients, return_exceptions=True)
        assert [type(each) for each in ended] == [asyncio.CancelledError] * 8
        gc.collect()


GARBAGE = {
    "greeting": {"greeting": "\x00\xff\xfe garbage"},
    "short": {"greeting": "2"},
    "http": {"greeting": "HTTP/1.1 400 Bad Request"},
    "ehlo": {"replies": {"EHLO": "999 who", "HELO": "abc"}},
    "mail": {"replies": {"MAIL": "+OK"}},
    "rcpt": {"replies": {"RCPT": "25"}},
    "endless": {"replies": {"MAIL": "250-" + "x" * 200_000}},
    "data": {"replies": {"DATA": "\r\n\r\n"}},
    "dot": {"final": ["\x01\x02"]},
}


async def test_garbage_for_an_answer_keeps_the_mail_and_harms_nobody_else() -> None:
    async with network() as net:
        first = Quintet(net, "s.test", users=(ALICE,))
        mad = {f"{how}.test": NextHost(**GARBAGE[how]) for how in GARBAGE}
        sane = NextHost()
        for name, peer in {**mad, "sane.test": sane}.items():
            await net.answering(name, peer)
        try:
            await first.start()
            for name in (*mad, "sane.test"):
                assert await post(net, "s.test", [f"1@{name}"], [f"bob@{name}"], sender=ALICE)
            await until(lambda: len(sane.messages) == 1, net)
            await until(lambda: min(peer.connections for peer in mad.values()) >= 2, net)
            assert sorted(first.waiting()) == sorted(f"bob@{name}" for name in mad)
            for peer in mad.values():
                peer.greeting, peer.replies, peer.final = "220 well again", {}, ["250 taken"]
                peer.messages.clear()
            await until(lambda: first.waiting() == [], net)
            for name, peer in mad.items():
                assert idents_of(peer) == {f"<1@{name}>": 1}, name
            assert first.count(ALICE) == 0
            assert '"event":"bug"' not in first.host.log
        finally:
            first.close()
