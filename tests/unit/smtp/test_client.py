"""What the client says to the next host, and what it makes of the answers: a scripted host on loopback."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from quintet.clock import FrozenClock
from quintet.delivery.envelope import NULL, USUAL, DeliverBy, Mailbox, Wishes
from quintet.delivery.letter import HeldBody
from quintet.delivery.tlspolicy import Demand
from quintet.delivery.transport import Answer, Hop, Letter, Result, To
from quintet.errors import Problem, Reason, TryLater
from quintet.smtp import heard
from quintet.smtp.client import SmtpTransport
from tests.support.nexthost import NextHost, next_host
from tests.support.serving import ended

PLAIN = ["PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8"]
ALL = [*PLAIN, "CHUNKING", "BINARYMIME", "DSN", "DELIVERBY 60", "MT-PRIORITY", "NO-SOLICITING", "AUTH PLAIN"]
ALICE = Mailbox("alice", "example.org")
BODY = b"Subject: x\r\n\r\n.dot\r\nbody\r\n"


def letter(data: bytes = BODY, wishes: Wishes = USUAL, **more) -> Letter:
    return Letter(more.pop("sender", ALICE), HeldBody(data), not data.isascii(), False, wishes=wishes, **more)


def to(*names: str) -> list[To]:
    return [To(Mailbox(*name.split("@"))) for name in names]


class Sender:
    """Sessions with one host."""

    def __init__(self, host: NextHost, **options) -> None:
        self.host, self.clock = host, FrozenClock()
        self.hop = Hop("next.test", "127.0.0.1", host.port, tls="never", lmtp=host.lmtp, **options)
        self.link: Any = None

    async def send(self, what: Letter, *recipients: To) -> list[Answer]:
        if self.link is None:
            self.link = await SmtpTransport("mx.test", clock=self.clock).connect(self.hop)
        return await self.link.send(what, recipients)

    async def close(self) -> None:
        if self.link is not None:
            await self.link.close()


async def exchange(what: Letter, *recipients: To, hop=None, **options) -> tuple[NextHost, list[Answer]]:
    async with next_host(**options) as host:
        sender = Sender(host, **(hop or {}))
        try:
            return host, await sender.send(what, *recipients)
        finally:
            await sender.close()


def results(answers: list[Answer]) -> list[str]:
    return [answer.result.name for answer in answers]


@pytest.mark.parametrize("offers", [[], PLAIN, ALL, ["CHUNKING"], ["PIPELINING"]])
@pytest.mark.parametrize("data", [BODY, b"Subject: x\r\n\r\n" + b"0123456789abcde\r\n" * 20_000])
async def test_the_same_bytes_arrive_whatever_a_host_offers(offers, data):
    offers = [each.replace("1000000", "0") for each in offers]
    host, answers = await exchange(letter(data), *to("a@b.test", "c@b.test"), offers=offers)
    assert results(answers) == ["DONE", "DONE"]
    assert host.messages == [data]
    assert answers[0].command == "end of data"


async def test_bdat_is_not_used_where_the_route_forbids_it():
    host, _ = await exchange(letter(), *to("a@b.test"), offers=ALL, hop={"chunking": False})
    assert not any(line.startswith("BDAT") for line in host.heard)
    host, _ = await exchange(letter(), *to("a@b.test"), offers=ALL)
    assert any(line == f"BDAT {len(BODY)} LAST" for line in host.heard)  # RFC 3030 2: nothing is stuffed


async def test_all_that_was_asked_for_is_passed_on():
    asked = Wishes(
        ret="hdrs", envid="a+b=c", priority=4, solicit="org.example:ADV", submitter="bob@example.org",
        by=DeliverBy(FrozenClock().now() + 90_500, "N", True),
    )  # fmt: skip
    bob = To(Mailbox("bob", "b.test"), ("success", "failure"), "rfc822;b+b@old.test")
    host, answers = await exchange(letter(wishes=asked), bob, offers=ALL)
    mail = next(line for line in host.heard if line.startswith("MAIL"))
    # RFC 3461 4.3, 4.4; RFC 2852 4: what is left; RFC 6710; RFC 3865
    assert mail == (
        f"MAIL FROM:<alice@example.org> SIZE={len(BODY)} RET=HDRS ENVID=a+2Bb+3Dc MT-PRIORITY=4 BY=91;NT"
        " SOLICIT=org.example:ADV"
    )
    assert "RCPT TO:<bob@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bb@old.test" in host.heard
    assert answers[0].passed_on  # RFC 3461 5.2.2: the reports are that host's from here on


async def test_a_priority_of_nought_is_told_as_well():
    host, _ = await exchange(letter(), *to("a@b.test"), offers=[*PLAIN, "MT-PRIORITY MIXER"])
    assert any(line.startswith("MAIL") and line.endswith(" MT-PRIORITY=0") for line in host.heard)  # 6710 4.2


async def test_nothing_is_asked_of_a_host_that_does_not_offer_it():
    asked = Wishes(ret="full", envid="x", priority=-3, by=DeliverBy(FrozenClock().now() + 1000, "N"))
    bob = To(Mailbox("bob", "b.test"), ("never",), "rfc822;b@old.test")
    host, answers = await exchange(letter(wishes=asked), bob)
    assert [line for line in host.heard if line[:4] in ("MAIL", "RCPT")] == [
        f"MAIL FROM:<alice@example.org> SIZE={len(BODY)}", "RCPT TO:<bob@b.test>",
    ]  # fmt: skip
    assert (results(answers), answers[0].passed_on) == (["DONE"], False)


@pytest.mark.parametrize(
    ("ahead_s", "offers", "status"),
    [(60, PLAIN, "5.3.3"), (-1, ALL, "5.4.7"), (60, ALL, "2.0.0"), (59, ALL, "5.4.7")],
)
async def test_mail_that_must_be_there_by_a_time_goes_where_that_is_promised(ahead_s, offers, status):
    asked = Wishes(by=DeliverBy(FrozenClock().now() + ahead_s * 1000, "R"))  # RFC 2852 4.1.4
    _, answers = await exchange(letter(wishes=asked), *to("a@b.test"), offers=offers)
    assert answers[0].status == status


async def test_requiretls_is_said_where_the_message_demands_it():
    offers = [*PLAIN, "REQUIRETLS"]  # RFC 8689 4.2
    host, _ = await exchange(letter(demand=Demand.REQUIRE), *to("a@b.test"), offers=offers)
    assert any(line.startswith("MAIL") and line.endswith(" REQUIRETLS") for line in host.heard)
    host, _ = await exchange(letter(), *to("a@b.test"), offers=offers)
    assert not any("REQUIRETLS" in line for line in host.heard)


async def test_binary_mail_goes_by_bdat_or_not_at_all():
    data = b"Subject: x\r\n\r\na\nb\rc\0\r\n.\r\nmore"  # RFC 3030 3
    binary = letter(data, Wishes(binary=True))
    host, answers = await exchange(binary, *to("a@b.test"), offers=ALL)
    assert (host.messages, results(answers)) == ([data], ["DONE"])
    assert any("BODY=BINARYMIME" in line for line in host.heard)
    host, answers = await exchange(binary, *to("a@b.test"), offers=[*PLAIN, "CHUNKING"])
    assert (host.messages, answers[0].status) == ([], "5.6.3")

    async def narrowed() -> Letter:
        return letter(b"Subject: x\r\n\r\nYQ==\r\n")

    host, answers = await exchange(replace(binary, narrowed=narrowed), *to("a@b.test"))
    assert (host.messages, results(answers)) == ([b"Subject: x\r\n\r\nYQ==\r\n"], ["DONE"])


async def test_limits_of_the_host_are_kept():
    offers = [*PLAIN, "LIMITS RCPTMAX=2 MAILMAX=3"]  # RFC 9422
    host, answers = await exchange(letter(), *to("a@b.test", "b@b.test", "c@c.test"), offers=offers)
    assert (results(answers), len(host.messages)) == (["DONE"] * 3, 2)
    offers = [*PLAIN, "LIMITS RCPTDOMAINMAX=1"]
    host, answers = await exchange(letter(), *to("a@b.test", "c@c.test", "b@b.test"), offers=offers)
    assert [line for line in host.heard if line.startswith("RCPT")] == [
        "RCPT TO:<a@b.test>",
        "RCPT TO:<b@b.test>",
    ]
    assert results(answers) == ["DONE", "LATER", "DONE"]  # 4.3: of a session, not of a transaction
    async with next_host(offers=offers) as host:
        sender = Sender(host)
        await sender.send(letter(), *to("a@b.test"))
        await sender.send(letter(), *to("b@b.test"))
        with pytest.raises(TryLater) as caught:  # another session may be tried at once
            await sender.send(letter(), *to("c@c.test"))
        assert (caught.value.reason, sender.link.usable) == (Reason.CLOSED, False)
        await sender.close()
    async with next_host(offers=[*PLAIN, "LIMITS MAILMAX=1"]) as host:
        sender = Sender(host)
        await sender.send(letter(), *to("a@b.test"))
        assert not sender.link.usable
        await sender.close()
        assert host.heard[-1] == "QUIT"


@pytest.mark.parametrize(
    ("options", "hop"),
    [
        ({"greeting": "554 no mail from you"}, {}),  # 3.1: it waits for QUIT
        ({"greeting": "521 no mail here"}, {}),
        ({"replies": {"EHLO": "550 not you", "HELO": "550 not you"}}, {}),
        ({}, {"tls": "must"}),
        (
            {"offers": [*PLAIN, "AUTH PLAIN"], "replies": {"AUTH": "535 5.7.8 no"}},
            {"user": "x", "password": "y"},
        ),
    ],
)
async def test_a_session_that_is_not_wanted_ends_with_quit(options, hop):
    # RFC 5321 4.1.1.10: MUST NOT close before QUIT, even if there was an error
    async with next_host(**options) as host:
        hop = Hop("next.test", "127.0.0.1", host.port, **{"tls": "never", **hop})
        with pytest.raises(Problem):
            await SmtpTransport("mx.test", clock=FrozenClock()).connect(hop)
        assert host.heard[-1] == "QUIT"
        assert host.connections == 1


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ("RCPTMAX=20 MAILMAX=5", (20, 5, 0)),
        ("mailmax=5 FUTURE RCPTDOMAINMAX=1", (0, 5, 1)),
        ("RCPTMAX=0 MAILMAX=5", (0, 5, 0)),  # 4.1: no zero, no more than six digits
        ("RCPTMAX=1000000 MAILMAX=005", (0, 0, 0)),
        ("RCPTMAX=999999 MAILMAX=many", (999999, 0, 0)),
        ("XRCPTMAX=5", (0, 0, 0)),
        ("RCPTMAX=5;MAILMAX=2", (0, 0, 0)),  # 3.7: wrong as a whole
        ("RCPTMAX=5 =2", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_limits_as_a_host_says_them(said, limits):
    found = heard.offers(["next.test", f"LIMITS {said}"])  # RFC 9422 3, 3.7
    assert (found.rcpt_max, found.mail_max, found.domain_max) == limits


@pytest.mark.parametrize(
    ("notify", "asked"),
    [
        ((), " NOTIFY=FAILURE,DELAY"),
        (("success",), " NOTIFY=SUCCESS,DELAY"),
        (("failure", "delay"), " NOTIFY=FAILURE,DELAY"),
        (("never",), " NOTIFY=NEVER"),
    ],
)
async def test_host_that_knows_no_deadlines_is_asked_to_say_that_mail_is_late(notify, asked):
    # RFC 2852 4.1.4.2
    wishes = Wishes(by=DeliverBy(FrozenClock().now() + 60_000, "N"))
    bob = To(Mailbox("bob", "b.test"), notify)
    host, answers = await exchange(letter(wishes=wishes), bob, offers=[*PLAIN, "DSN"])
    assert f"RCPT TO:<bob@b.test>{asked}" in host.heard
    assert not answers[0].punctual
    host, answers = await exchange(letter(wishes=wishes), bob, offers=[*PLAIN, "DSN", "DELIVERBY"])
    plain = f" NOTIFY={','.join(notify).upper()}" if notify else ""
    assert f"RCPT TO:<bob@b.test>{plain}" in host.heard
    assert answers[0].punctual


@pytest.mark.parametrize("offers", [PLAIN, ALL, []])
async def test_too_many_recipients_go_in_the_next_transaction(offers):
    # RFC 5321 4.5.3.1.10
    names = [f"r{n}@b.test" for n in range(5)]
    host, answers = await exchange(letter(), *to(*names), offers=offers, most=2)
    assert (results(answers), len(host.messages)) == (["DONE"] * 5, 3)
    replies = {"RCPT TO:<R1@": "552 too many"}  # means 452, and stays so
    host, answers = await exchange(letter(), *to("r0@b.test", "r1@b.test"), offers=offers, replies=replies)
    assert results(answers) == ["DONE", "LATER"]


async def test_full_mailbox_is_not_asked_twice():
    replies = {"RCPT TO:<B@": "452 4.2.2 mailbox full"}
    host, answers = await exchange(letter(), *to("a@b.test", "b@b.test"), replies=replies)
    assert results(answers) == ["DONE", "LATER"]
    assert sum(line.startswith("RCPT TO:<b@") for line in host.heard) == 1
    assert (answers[1].status, answers[1].command) == ("4.2.2", "RCPT TO:<b@b.test>")


@pytest.mark.parametrize("offers", [PLAIN, ALL, [], ["CHUNKING"]])
async def test_host_that_dies_with_the_message_in_hand_is_asked_again_later(offers):
    host, answers = await exchange(letter(), *to("a@b.test"), offers=offers, dies="body")
    assert (len(host.messages), results(answers), answers[0].status) == (1, ["LATER"], "4.4.2")


@pytest.mark.parametrize("offers", [PLAIN, []])
async def test_host_that_dies_before_it_has_the_message_costs_no_attempt(offers):
    with pytest.raises(TryLater) as caught:
        await exchange(letter(), *to("a@b.test"), offers=offers, dies="envelope")
    assert caught.value.reason is Reason.CLOSED


@pytest.mark.parametrize("offers", [PLAIN, ALL, []])
async def test_421_to_mail_costs_no_attempt(offers):
    with pytest.raises(TryLater) as caught:
        await exchange(letter(), *to("a@b.test"), offers=offers, replies={"MAIL": "421 4.3.2 going down"})
    assert caught.value.reason is Reason.CLOSED


@pytest.mark.parametrize(
    ("verb", "offers"),
    [("RCPT", PLAIN), ("RCPT", ALL), ("RCPT", []), ("DATA", PLAIN), ("DATA", []), ("BDAT", ALL)],
)
async def test_421_ends_the_session_wherever_it_comes(verb, offers):
    async with next_host(offers=offers, replies={verb: "421 4.3.2 going down"}) as host:
        sender = Sender(host)
        answers = await sender.send(letter(), *to("a@b.test"))
        assert (results(answers), answers[0].text[:3]) == (["LATER"], "421")
        assert not sender.link.usable
        await sender.close()


@pytest.mark.parametrize(
    "said", ["hello", "999 what", "25", "\u00ff\u00fe", "250-one\r\n251 two", "250-x\r\n" * 300 + "250 x"]
)
async def test_garbage_is_no_reply(said):
    with pytest.raises(TryLater) as caught:
        await exchange(letter(), *to("a@b.test"), replies={"MAIL": said})
    assert caught.value.reason is Reason.CLOSED


async def test_lmtp_answers_for_each_recipient_by_data_and_by_bdat():
    final = ["250 2.1.5 a has it", "452 4.2.2 b is full", "550 5.7.1 c will not"]
    people = to("a@b.test", "b@b.test", "c@b.test")
    for offers in (PLAIN, ALL):
        _, answers = await exchange(letter(), *people, offers=offers, lmtp=True, final=final)
        assert results(answers) == ["DONE", "LATER", "NEVER"]
        # RFC 3461 5.2.2: who offers DSN tells the sender itself
        assert answers[0].final and answers[0].passed_on is (offers is ALL)


async def test_a_utf8_header_goes_to_no_host_without_smtputf8():
    # RFC 6531 3.5; also where the host takes no 8-bit mail either
    for offers in ([each for each in PLAIN if each != "SMTPUTF8"], []):
        _, answers = await exchange(
            replace(letter(), utf8_header=True, eight_bit=True), *to("a@b.test"), offers=offers
        )
        assert [answer.status for answer in answers] == ["5.6.9"]


async def test_utf8_addresses_go_as_they_are_or_by_a_labels():
    # RFC 6531 3.2
    plain = [each for each in PLAIN if each != "SMTPUTF8"]
    people = [To(Mailbox("bob", "b\u00fccher.test")), To(Mailbox("j\u00f6rg", "b.test")), *to("c@b.test")]
    host, answers = await exchange(letter(), *people, offers=plain)
    assert [answer.status for answer in answers] == ["2.0.0", "5.6.7", "2.0.0"]
    assert "RCPT TO:<bob@xn--bcher-kva.test>" in host.heard
    host, answers = await exchange(letter(), *people)
    assert results(answers) == ["DONE"] * 3
    assert any(line.startswith("MAIL") and line.endswith("SMTPUTF8") for line in host.heard)


async def test_an_address_can_never_bring_a_command_along():
    evil = To(Mailbox("a\r\nRSET", "b.test")), To(Mailbox("a", "b.test>\r\nDATA"))
    host, answers = await exchange(letter(), *evil)
    assert results(answers) == ["NEVER", "NEVER"]
    assert not any(line.startswith(("MAIL", "RSET", "DATA")) for line in host.heard)


async def test_null_sender_and_a_name_of_the_route():
    host, answers = await exchange(letter(sender=NULL), *to("a@b.test"), hop={"helo": "other.test"})
    assert results(answers) == ["DONE"]
    assert host.heard[0] == "EHLO other.test"
    assert host.heard[1].startswith("MAIL FROM:<> ")
    assert answers[0].result is Result.DONE


class Waits(NextHost):
    """Says nothing about a message before it has the next three commands, as one that reads in groups may."""

    ahead = 3

    async def _data(self, reader, say, accepted) -> None:
        told: list[str] = []
        await super()._data(reader, told.append, accepted)
        async with asyncio.timeout(30):
            for _ in range(self.ahead if len(self.messages) == 1 else 0):
                self.heard.append((await reader.readline()).decode().rstrip())
        for text in told:
            say(text)
        for command in self.heard[-self.ahead :] if len(self.messages) == 1 else ():
            say("354 go" if command == "DATA" else "250 ok")
        if len(self.messages) == 1 and self.ahead:
            await self._data(reader, say, 1)


async def test_the_next_envelope_goes_along_with_the_end_of_a_message():
    # RFC 2920 3.1: "MAIL FROM, RCPT TO and DATA can be placed in the same group as the message body"
    first, second = letter(), letter(b"Subject: y\r\n\r\nsecond\r\n")
    async with next_host(kind=Waits) as host:
        sender = Sender(host)
        link = await SmtpTransport("mx.test", clock=sender.clock).connect(sender.hop)
        answers = await link.send(first, to("a@b.test"), lambda: (second, to("c@d.test")))
        assert (results(answers), len(host.messages)) == (["DONE"], 1)
        assert results(await link.send(second, to("c@d.test"))) == ["DONE"]
        assert host.messages == [BODY, b"Subject: y\r\n\r\nsecond\r\n"]
        assert [line[:18] for line in host.heard] == [
            "EHLO mx.test", "MAIL FROM:<alice@e", "RCPT TO:<a@b.test>", "DATA",
            "MAIL FROM:<alice@e", "RCPT TO:<c@d.test>", "DATA",
        ]  # fmt: skip
        await link.close()


@pytest.mark.parametrize(
    ("offers", "options", "hop", "recipients"),
    [
        (["SIZE 0"], {}, {}, ["a@b.test"]),
        (PLAIN, {}, {"pipelining": False}, ["a@b.test"]),
        ([*PLAIN, "LIMITS MAILMAX=1"], {}, {}, ["a@b.test"]),
        (PLAIN, {"most": 1}, {}, ["a@b.test", "b@b.test"]),  # the second one has to be asked again first
        (PLAIN, {"replies": {"DATA": "451 4.3.0 no"}}, {}, ["a@b.test"]),
    ],
)
async def test_no_envelope_goes_ahead_where_it_may_not_come_next(offers, options, hop, recipients):
    async with next_host(offers=offers, **options) as host:
        sender = Sender(host, **hop)
        link = await SmtpTransport("mx.test", clock=sender.clock).connect(sender.hop)
        asked = []

        def following():
            asked.append(len(host.messages))
            return letter(), to("next@b.test")

        await link.send(letter(), to(*recipients), following)
        await link.close()
        # where two transactions were needed it is the second that may take it along
        assert asked == ([1] if options.get("most") else [])
        assert [line for line in host.heard if "<next@" in line] == (
            ["RCPT TO:<next@b.test>"] if asked else []
        )


async def test_a_session_that_ends_between_two_messages_costs_the_second_no_attempt():
    for end in ({"dies": "body"}, {"final": ["421 4.3.2 going down"]}):
        async with next_host(**end) as host:
            sender, second = Sender(host), letter()
            link = await SmtpTransport("mx.test", clock=sender.clock).connect(sender.hop)
            answers = await link.send(letter(), to("a@b.test"), lambda: (second, to("c@d.test")))  # noqa: B023
            assert results(answers) == ["LATER"]
            assert not link.usable
            await link.close()


async def test_a_session_with_an_envelope_ahead_is_broken_off_not_ended_with_quit():
    async with next_host() as host:
        sender, second = Sender(host), letter()
        link = await SmtpTransport("mx.test", clock=sender.clock).connect(sender.hop)
        await link.send(letter(), to("a@b.test"), lambda: (second, to("c@d.test")))
        await link.close()
    assert len(host.messages) == 1  # QUIT is no message
    assert "QUIT" not in host.heard


@pytest.mark.parametrize("drip", ["2", "250-and more\r\n"])
async def test_a_reply_that_never_ends_ends_the_session(drip, monkeypatch):
    # RFC 5321 4.5.3.2: the time is the reply's, not that of each octet or line
    monkeypatch.setattr("quintet.smtp.client.COMMAND_S", 0.2)

    async def serve(reader, writer) -> None:
        writer.write(b"220 next.test\r\n")
        try:
            while not writer.is_closing():
                writer.write(drip.encode())
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    try:
        hop = Hop("next.test", "127.0.0.1", server.sockets[0].getsockname()[1], tls="never")
        async with asyncio.timeout(30):
            with pytest.raises(TryLater) as caught:
                await SmtpTransport("mx.test").connect(hop)
        assert caught.value.reason is Reason.TIMEOUT
    finally:
        await ended(server)
