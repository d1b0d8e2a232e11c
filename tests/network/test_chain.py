"""Chains of relays, each host a namespace with a port 25 of its own: all arrives once, and reports come back.

``QUINTET_MESSAGES=10000`` sends so many through each chain.
"""

from __future__ import annotations

import asyncio
import email
import os
import time
from collections.abc import Callable

import pytest

from quintet.config.route import Route
from tests.support.network import Network, missing, network
from tests.support.posting import post, post_all
from tests.support.relays import Quintet, missing_peers, start_exim, start_opensmtpd, start_postfix

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "there")]

ALICE, BOB = "alice@start.test", "bob@end.test"
OURS = int(os.environ.get("QUINTET_MESSAGES", "2000"))  # through four of ours
MIXED = int(os.environ.get("QUINTET_MESSAGES", "300"))  # through one of each
PATIENCE_S = 30.0 + (OURS + MIXED) / 20


async def until(holds: Callable[[], bool], net: Network, seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "".join(f"== {h.name}\n{h.log}" for h in net.hosts.values())
        await asyncio.sleep(0.1)


async def test_four_of_ours_pass_every_message_on_once() -> None:
    async with network() as net:
        last = Quintet(net, "d.test", users=(BOB,))
        hosts = [Quintet(net, f"{a}.test", {"end.test": f"{b}.test"}) for a, b in ("ab", "bc", "cd")]
        try:
            for each in (last, *hosts):
                await each.start()
            idents = [f"{number}@chain.test" for number in range(OURS)]
            began = time.monotonic()
            assert len(await post_all(net, "a.test", idents, BOB)) == OURS
            accepted = time.monotonic() - began
            await until(lambda: last.count(BOB) >= OURS, net)
            print(
                f"{OURS} messages: taken in {accepted:.1f} s, all there after {time.monotonic() - began:.1f}"
            )
            await until(lambda: not any(each.waiting() for each in hosts), net)
            assert last.arrived(BOB) == {f"<{ident}>": 1 for ident in idents}
            for each in (*hosts, last):
                await each.end()
        finally:
            for each in (last, *hosts):
                each.close()


@pytest.mark.interop
@pytest.mark.skipif(bool(missing_peers()), reason=missing_peers() or "there")
async def test_postfix_exim_and_opensmtpd_between_two_of_ours() -> None:
    async with network("start.test MX 10 d.test.") as net:
        last = Quintet(net, "e.test", users=(BOB,))
        first = Quintet(net, "a.test", {"end.test": "b.test"}, users=(ALICE,))
        try:
            start_postfix(net, "b.test", {"end.test": "c.test", "start.test": "a.test"})
            start_exim(net, "c.test", {"end.test": "d.test", "start.test": "b.test"})
            start_opensmtpd(net, "d.test", {"end.test": "e.test", "start.test": "c.test"})
            await last.start()
            await first.start()
            for name in ("b.test", "c.test", "d.test"):
                await net.until_answers(name)
            idents = [f"{number}@mixed.test" for number in range(MIXED)]
            began = time.monotonic()
            assert len(await post_all(net, "a.test", idents, BOB, sender=ALICE)) == MIXED
            await until(lambda: last.count(BOB) >= MIXED, net)
            print(f"{MIXED} messages: all there after {time.monotonic() - began:.1f} s")
            assert last.arrived(BOB) == {f"<{ident}>": 1 for ident in idents}
            letter = last.letters(BOB)[0]
            assert letter.count(b"Received: ") == 4, letter
            assert b"\r\n\r\n.. and a line" in letter

            # nobody is there: the one before the last says so, all the way back
            taken = await post_all(net, "a.test", ["lost@mixed.test"], "nobody@end.test", sender=ALICE)
            assert taken == ["lost@mixed.test"]
            await until(lambda: first.count(ALICE) == 1, net)
            report = email.message_from_bytes(first.letters(ALICE)[0])
            # OpenSMTPD calls it multipart/mixed; what is in it is RFC 3464's
            (status,) = (
                part for part in report.walk() if part.get_content_type() == "message/delivery-status"
            )
            about, one = status.get_payload()
            assert about["Reporting-MTA"].replace(" ", "") == "dns;d.test"
            assert one["Final-Recipient"].replace(" ", "") == "rfc822;nobody@end.test"
            assert one["Status"].startswith("5.")
            assert first.prefixes(ALICE)[0].startswith(b"Return-Path: <>\r\n")
            assert len(report.get_all("Received", [])) >= 3
            assert first.waiting() == []
        finally:
            last.close()
            first.close()


@pytest.mark.interop
@pytest.mark.skipif(bool(missing_peers()), reason=missing_peers() or "there")
async def test_exim_says_all_at_once_when_it_was_here_before() -> None:
    """PIPECONNECT: from the second session on EHLO and the envelope come along with the connection."""
    async with network() as net:
        ours = Quintet(net, "a.test", users=(BOB,))
        exim = start_exim(
            net, "c.test", {"end.test": "a.test"}, "  hosts_pipe_connect = *\n  connection_max_messages = 1"
        )
        try:
            await ours.start()
            await net.until_answers("c.test")
            for number in range(3):
                ident = f"{number}@early.test"
                assert await post_all(net, "c.test", [ident], BOB, sender=ALICE) == [ident]
                await until(lambda wanted=number: ours.count(BOB) > wanted, net)  # type: ignore[misc]
            await until(lambda: exim.log.count(" Completed") >= 3, net)
            assert ours.arrived(BOB) == {f"<{number}@early.test>": 1 for number in range(3)}
            # how Exim writes down that it pipelined, and that it did from the first octet on
            assert [exim.log.count(f"] {mark} ") for mark in ("L", "L*")] == [1, 2]
        finally:
            ours.close()


@pytest.mark.interop
@pytest.mark.skipif(bool(missing_peers()), reason=missing_peers() or "there")
async def test_exim_hears_of_each_recipient_after_the_message() -> None:
    """PRDR, and the message by BDAT: what Exim's client does without being asked to."""
    both = (BOB, "ann@end.test")
    async with network() as net:
        ours = Quintet(net, "a.test", users=both)
        exim = start_exim(net, "c.test", {"end.test": "a.test"})
        try:
            await ours.start()
            await net.until_answers("c.test")
            assert await post(net, "c.test", ["each@prdr.test"], both, sender=ALICE) == ["each@prdr.test"]
            await until(lambda: " Completed" in exim.log, net)
            assert [ours.arrived(each) for each in both] == [{"<each@prdr.test>": 1}] * 2
            told = [line for line in exim.log.splitlines() if " => " in line or " -> " in line]
            assert len(told) == 2
            for line, who in zip(told, both, strict=True):
                assert f' L PRDR K C="250 2.1.5 <{who}> OK' in line, told
        finally:
            ours.close()


@pytest.mark.interop
@pytest.mark.skipif(bool(missing_peers()), reason=missing_peers() or "there")
async def test_we_say_hello_with_the_connection_to_an_exim_that_was_met_before() -> None:
    """PIPECONNECT the other way round, where a route wants it."""
    route = Route(via="smtp", host="c.test", pipe_connect=True)
    queue = {"routes": {"exim": route}, "idle_s": 0.0}
    async with network() as net:
        ours = Quintet(net, "a.test", queue=queue)
        last = Quintet(net, "d.test", users=(BOB,))
        # it looks for what came along when it is about to greet: whoever is quicker must not decide
        exim = start_exim(net, "c.test", {"end.test": "d.test"}, arrived="    delay = 1s")
        try:
            await ours.start()
            await last.start()
            await net.until_answers("c.test")
            for number in range(3):
                ident = f"{number}@early.test"
                assert await post_all(net, "a.test", [ident], BOB, sender=ALICE) == [ident]
                await until(lambda wanted=number: last.count(BOB) > wanted, net)  # type: ignore[misc]
            assert last.arrived(BOB) == {f"<{number}@early.test>": 1 for number in range(3)}
            # what Exim writes where it was offered and not used, and where it was
            taken = [line for line in exim.log.splitlines() if " <= " in line]
            assert ["L*" in line.split() for line in taken] == [False, True, True], taken
        finally:
            ours.close()
            last.close()
