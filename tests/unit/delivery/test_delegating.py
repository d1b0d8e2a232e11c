"""Policy services: what they are told, and what their answers lead to (SMTPD_POLICY_README)."""

from pathlib import Path

import pytest

from quintet.config.access import Service
from quintet.config.policy import Policy
from quintet.delivery.acting import Acting
from quintet.delivery.clientname import ClientNames
from quintet.delivery.delegating import Delegating
from quintet.errors import Refused, TryLater
from quintet.net.dns import Resolver
from quintet.net.seam import Peer
from quintet.smtp import replies
from tests.support.mailhouse import LETTER, MailHouse, envelope, inbound, mail_house
from tests.support.policyhost import policy_host


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made
        while MADE:
            MADE.pop().close()


MADE: list[Delegating] = []


class Nameless(ClientNames):
    async def of(self, peer: Peer) -> str:
        return ""


def way_in(house: MailHouse, *configured: Service):
    acts = Acting()
    names = Nameless(Resolver(), timeout_s=1.0)
    asked = Delegating(configured, ["198.51.100.0/24"], names)
    MADE.append(asked)
    return inbound(house, policy=Policy(), checks=[asked, acts], filters=[acts.filter])


async def sent(way, *names: str, peer: Peer | None = None) -> list[str]:
    """The replies to RCPT and to the message, "" where it went on."""
    made = envelope(way)
    made.peer = peer or made.peer
    said = []
    for name in names:
        found = envelope(way, name).recipients[0]
        try:
            asked = way.probe(made, found)
            if asked is not None:
                await asked
        except (Refused, TryLater) as problem:
            said.append(replies.problem(problem).decode().rstrip())
        else:
            made.recipients.append(found)
            said.append("")
    if not made.recipients:
        return said
    try:
        later = way.ready(made)
        if later is not None:
            await later
        await way.accept(made, LETTER)
    except (Refused, TryLater) as problem:
        return [*said, replies.problem(problem).decode().rstrip()]
    return [*said, ""]


async def test_a_service_is_told_who_sends_what_to_whom(house, tmp_path):
    async with policy_host(tmp_path, lambda told: "DUNNO", context="mx") as (host, config):
        assert await sent(way_in(house, config), "alice", "bob") == ["", "", ""]
    first, second = host.asked
    for name, value in {
        "request": "smtpd_access_policy",
        "protocol_state": "RCPT",
        "protocol_name": "ESMTP",
        "helo_name": "a.test",
        "sender": "zoe@example.net",
        "recipient": "alice@example.org",
        "client_address": "192.0.2.9",
        "client_name": "unknown",
        "sasl_username": "",
        "policy_context": "mx",
    }.items():
        assert first[name] == value
    assert second["recipient"] == "bob@example.org"
    assert first["instance"] == second["instance"] != ""
    assert host.connections == 1  # one for both


async def test_each_message_is_another_instance(house, tmp_path):
    async with policy_host(tmp_path, lambda told: "DUNNO") as (host, config):
        way = way_in(house, config)
        await sent(way, "alice")
        await sent(way, "alice")
    assert host.asked[0]["instance"] != host.asked[1]["instance"]


async def test_one_recipient_is_refused_another_put_off_the_third_marked(house, tmp_path):
    said = {"alice": "REJECT 5.7.9 no", "bob": "DEFER_IF_PERMIT greylisted", "carol": "PREPEND X-P: q"}
    async with policy_host(tmp_path, lambda told: said[told["recipient"].split("@")[0]]) as (_, config):
        assert await sent(way_in(house, config), *said) == ["550 5.7.9 no", "450 4.7.1 greylisted", "", ""]
    assert b"\r\nX-P: q\r\n" in await house.last("carol")


@pytest.mark.parametrize(("at", "state", "size"), [("data", "DATA", "0"), ("end", "END-OF-MESSAGE", "48")])
async def test_a_service_may_be_asked_later(house, tmp_path, at, state, size):
    async with policy_host(tmp_path, lambda told: "554 5.7.0 no", at=at) as (host, config):
        assert await sent(way_in(house, config), "alice", "bob") == ["", "", "554 5.7.0 no"]
    (told,) = host.asked
    assert (told["protocol_state"], told["recipient"], told["recipient_count"]) == (state, "", "2")
    assert told["size"] == (size if at == "data" else str(LETTER.size))


async def test_our_own_are_not_asked_about_unless_everybody_is(house, tmp_path):
    own = Peer("c2", "198.51.100.7")
    async with policy_host(tmp_path, lambda told: "REJECT") as (host, config):
        assert await sent(way_in(house, config), "alice", peer=own) == ["", ""]
        assert host.asked == []
    async with policy_host(tmp_path, lambda told: "REJECT", who="everybody") as (_, config):
        assert await sent(way_in(house, config), "alice", peer=own) == ["550 5.7.1 Refused by policy"]


async def test_the_first_that_says_ok_has_the_last_word(house, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with policy_host(tmp_path / "a", lambda told: "OK") as (_, one):
        async with policy_host(tmp_path / "b", lambda told: "REJECT") as (host, other):
            assert await sent(way_in(house, one, other), "alice") == ["", ""]
            assert host.asked == []


async def test_a_connection_that_ended_is_made_again(house, tmp_path):
    async with policy_host(tmp_path, lambda told: "DUNNO") as (host, config):
        host.after = 1
        assert await sent(way_in(house, config), "alice", "bob") == ["", "", ""]
        assert host.connections == 2


@pytest.mark.parametrize(
    "answer", [b"\n", b"action=\n\n", b"x\n" * 200, b"action=NO_SUCH\n\n", b"action=" + b"x" * 20_000]
)
async def test_nonsense_puts_mail_off_or_lets_it_pass(house, tmp_path, answer):
    """Bounded: 100 lines of 16 KiB, two seconds."""
    async with policy_host(tmp_path, lambda told: answer) as (_, config):
        assert (await sent(way_in(house, config), "alice"))[0].startswith("451 4.3.")
    async with policy_host(tmp_path, lambda told: answer, on_failure="accept") as (_, config):
        assert await sent(way_in(house, config), "alice") == ["", ""]


async def test_nobody_there(house, tmp_path):
    service = Service(address=f"unix:{tmp_path}/none", timeout_s=1.0)
    assert (await sent(way_in(house, service), "alice"))[0].startswith("451 ")


async def test_names_cannot_break_out_of_their_line(house, tmp_path):
    async with policy_host(tmp_path, lambda told: "DUNNO") as (host, config):
        way = way_in(house, config)
        made = envelope(way)
        made.helo = "a\naction=OK\n\nrequest=x"
        await way.probe(made, envelope(way, "alice").recipients[0])
    assert len(host.asked) == 1
    assert host.asked[0]["helo_name"] == "a action=OK  request=x"
