"""Mail exchangers of a domain that go down and come up: the best that answers gets the mail, all of it, once
(RFC 5321 5.1; RFC 7505 for the null MX)."""

from __future__ import annotations

import asyncio
import email
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.network import Network, missing, network
from tests.support.nexthost import NextHost
from tests.support.posting import post, post_all
from tests.support.relays import Quintet

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]

ALICE, BOB = "alice@start.test", "bob@end.test"
TIME_S = 60.0
ZONE = """
end.test MX 10 a.test.
end.test MX 20 b.test.
start.test MX 10 s.test.
"""


async def until(holds: Callable[[], bool], net: Network) -> None:
    end = time.monotonic() + TIME_S
    while not holds():
        assert time.monotonic() < end, "".join(f"== {h.name}\n{h.log}" for h in net.hosts.values())
        await asyncio.sleep(0.05)


@asynccontextmanager
async def started(*servers: Quintet) -> AsyncIterator[None]:
    try:
        for each in servers:
            await each.start()
        yield
    finally:
        for each in servers:
            each.close()


async def test_backup_takes_over_while_the_best_is_away_and_hands_over_when_it_is_back() -> None:
    """Killed, started, unplugged, plugged in: ``a`` gets each message once, whichever way it came."""
    async with network(ZONE) as net:
        # no kept sessions: what is on its way through one when the cable is pulled may rightly come twice
        alone = {"idle_s": 0.0}
        best = Quintet(net, "a.test", users=(BOB,))
        backup = Quintet(net, "b.test", smtp={"relay_domains": ["end.test"]}, queue=alone)
        sender = Quintet(net, "s.test", users=(ALICE,), queue=alone)
        sent: list[str] = []

        async def send(count: int) -> None:
            idents = [f"{len(sent) + number}@mx.test" for number in range(count)]
            assert sorted(await post_all(net, "s.test", idents, BOB, sender=ALICE)) == sorted(idents)
            sent.extend(idents)

        async with started(best, backup, sender):
            await send(40)
            await until(lambda: best.count(BOB) == 40, net)
            assert backup.waiting() == []

            best.kill()
            await send(40)
            await until(lambda: sender.waiting() == [] and len(backup.waiting()) == 40, net)
            await best.start()
            await until(lambda: best.count(BOB) == 80, net)

            best.host.unplug()  # nothing answers, not even "no"
            await send(20)
            await until(lambda: sender.waiting() == [] and len(backup.waiting()) == 20, net)
            backup.kill()
            await send(20)
            await until(lambda: len(sender.waiting()) == 20, net)
            best.host.plug()
            await until(lambda: best.count(BOB) == 100, net)
            await backup.start()
            await until(lambda: best.count(BOB) >= 120 and backup.waiting() == [], net)
            await until(lambda: sender.waiting() == [] and best.count(BOB) == 120, net)

            assert best.arrived(BOB) == {f"<{ident}>": 1 for ident in sent}
            through_backup = [text for text in best.letters(BOB) if b"by b.test" in text]
            assert len(through_backup) >= 60
            assert sender.count(ALICE) == 0  # nobody was told that anything failed


async def test_equal_exchangers_share_and_cover_for_each_other() -> None:
    async with network("end.test MX 10 a.test.\nend.test MX 10 b.test.\nend.test MX 20 c.test.") as net:
        peers = {name: NextHost() for name in ("a.test", "b.test", "c.test")}
        servers = {name: await net.answering(name, peer) for name, peer in peers.items()}
        sender = Quintet(net, "s.test", queue={"idle_s": 0.0})
        async with started(sender):
            for number in range(30):
                await post(net, "s.test", [f"{number}@mx.test"], [BOB])
            await until(lambda: sender.waiting() == [], net)
            shares = {name: len(peer.messages) for name, peer in peers.items()}
            assert min(shares["a.test"], shares["b.test"]) > 0, shares
            assert shares["c.test"] == 0

            servers["a.test"].close()
            for number in range(30, 40):
                await post(net, "s.test", [f"{number}@mx.test"], [BOB])
            await until(lambda: sender.waiting() == [], net)
            assert len(peers["a.test"].messages) == shares["a.test"]
            servers["b.test"].close()
            for number in range(40, 50):
                await post(net, "s.test", [f"{number}@mx.test"], [BOB])
            await until(lambda: sender.waiting() == [], net)
            everything = [text for peer in peers.values() for text in peer.messages]
            idents = sorted(email.message_from_bytes(text)["Message-ID"] for text in everything)
            assert idents == sorted(f"<{number}@mx.test>" for number in range(50))
            assert len(peers["c.test"].messages) == 10


async def test_null_mx_is_told_at_once_and_nobody_is_called() -> None:
    """RFC 7505 4.1: 5.1.10, although the domain has an address and a host that listens there."""
    async with network("end.test MX 0 .\nend.test A 198.51.100.77\n") as net:
        sender = Quintet(net, "s.test", users=(ALICE,))
        async with started(sender):
            assert await post(net, "s.test", ["null@mx.test"], [BOB], sender=ALICE) == ["null@mx.test"]
            await until(lambda: sender.count(ALICE) == 1, net)
            report = email.message_from_bytes(sender.letters(ALICE)[0])
            assert report.get_payload()[1].get_payload()[1]["Status"] == "5.1.10"
            assert sender.waiting() == []
            assert ("end.test", "A") not in net.zone.asked


async def test_failing_name_service_keeps_mail_waiting_and_never_bounces_it() -> None:
    """RFC 5321 5.1: SERVFAIL, and silence, are no "no such domain"; the mail goes when the answer comes."""
    async with network("end.test MX 10 a.test.") as net:
        peer = NextHost()
        await net.answering("a.test", peer)
        sender = Quintet(net, "s.test", users=(ALICE,))
        async with started(sender):
            net.zone.break_("end.test")
            assert await post(net, "s.test", ["one@mx.test"], [BOB], sender=ALICE)
            await until(lambda: net.zone.asked.count(("end.test", "MX")) >= 3, net)
            assert sender.waiting() == [BOB]
            net.zone.silent = True
            net.zone.broken.clear()
            assert await post(net, "s.test", ["two@mx.test"], [BOB], sender=ALICE)
            await asyncio.sleep(2.5)  # longer than a try waits for an answer
            assert sender.waiting() == [BOB, BOB]
            net.zone.silent = False
            await until(lambda: len(peer.messages) == 2, net)
            await until(lambda: sender.waiting() == [], net)
            assert sender.count(ALICE) == 0

            # and a domain that there is not fails at once
            assert await post(net, "s.test", ["three@mx.test"], ["x@nowhere.test"], sender=ALICE)
            await until(lambda: sender.count(ALICE) == 1, net)
            report = email.message_from_bytes(sender.letters(ALICE)[0])
            assert report.get_payload()[1].get_payload()[1]["Status"] == "5.1.2"
