"""The places for checks: when each is called, what it may answer, what points lead to."""

from pathlib import Path

import pytest

from quintet.config.policy import Policy, Scores
from quintet.delivery import authres
from quintet.delivery.checks import Check
from quintet.delivery.envelope import Envelope, Recipient, mailbox
from quintet.delivery.inbound import Inbound, Passage
from quintet.delivery.verdict import Finding, Verdict
from quintet.errors import Reason, Refused, TryLater
from quintet.message import scan
from quintet.net.seam import Peer
from quintet.store import entries, folders
from quintet.store.content import content_of
from tests.support.mailhouse import LETTER, MailHouse, envelope, inbound, mail_house


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def test_without_checks_nothing_waits_and_nothing_is_kept(house):
    way = inbound(house)
    made = envelope(way, "alice")
    assert way.connected(made.peer) is None
    assert way.greeted(made.peer) is None
    assert way.sender(made) is None
    assert way.probe(made, made.recipients[0]) is None
    assert way.ready(made) is None
    assert made.peer.notes == {}
    assert made.verdict is None


async def test_each_place_is_called_once_and_in_order(house):
    called = []

    class Quick(Check):
        def connect(self, peer, verdict):
            called.append("connect")
            verdict.points["dnsbl"] = 1.5

        def helo(self, peer, verdict):
            called.append(f"helo {peer.helo}")

        def mail(self, envelope, verdict):
            called.append(f"mail {envelope.sender}")

        def rcpt(self, envelope, recipient, verdict):
            called.append(f"rcpt {recipient.address}")

        def data(self, envelope, verdict):
            called.append(f"data {verdict.score}")

        def message(self, passage):
            called.append(f"message {passage.content.size}")

        def accepted(self, passage):
            called.append("accepted")

    class Slow(Check):
        async def mail(self, envelope, verdict):
            called.append("slow mail")

        async def rcpt(self, envelope, recipient, verdict):
            called.append("slow rcpt")

    way = inbound(house, checks=[Slow(), Quick()])
    made = envelope(way)
    made.peer.helo = "a.test"
    assert way.connected(made.peer) is None
    assert way.greeted(made.peer) is None
    later = way.sender(made)
    assert later is not None
    await later
    found = way.recipient(made, mailbox("alice@example.org"))
    asked = way.probe(made, found)
    assert asked is not None
    assert await asked is found
    made.recipients.append(found)
    assert way.ready(made) is None
    assert await way.accept(made, LETTER) == [None]
    assert called == [
        "connect", "helo a.test", "slow mail", "mail zoe@example.net", "slow rcpt", "rcpt alice@example.org",
        "data 1.5", f"message {LETTER.size}", "accepted",
    ]  # fmt: skip


async def test_connection_findings_go_with_each_of_its_messages_and_no_further(house):
    class Both(Check):
        def connect(self, peer, verdict):
            verdict.add("iprev", "pass")

        def mail(self, envelope, verdict):
            verdict.add("spf", "fail")

    way = inbound(house, checks=[Both()])
    peer = Peer("c1", "192.0.2.9")
    way.connected(peer)
    first, second = Envelope(peer=peer), Envelope(peer=peer)
    way.sender(first)
    way.sender(second)
    assert first.verdict.results == second.verdict.results == {"iprev": "pass", "spf": "fail"}
    assert len(first.verdict.findings) == 2
    assert peer.notes["verdict"].results == {"iprev": "pass"}


async def test_refused_recipients_are_told_to_checks(house):
    told = []

    class Count(Check):
        def rcpt(self, envelope, recipient, verdict):
            if recipient.address.local == "bob":
                raise TryLater(Reason.THROTTLED)

        def refused(self, envelope, address, problem):
            told.append((str(address), problem.reason))

    way = inbound(house, checks=[Count()])
    made = envelope(way, "alice")
    with pytest.raises(Refused):
        way.recipient(made, mailbox("nobody@example.org"))
    with pytest.raises(Refused):
        way.recipient(made, mailbox("x@elsewhere.example"))
    with pytest.raises(TryLater):
        way.probe(made, way.recipient(made, mailbox("bob@example.org")))
    assert told == [
        ("nobody@example.org", Reason.NO_SUCH_ADDRESS),
        ("x@elsewhere.example", Reason.RELAY_DENIED),
        ("bob@example.org", Reason.THROTTLED),
    ]


async def test_probe_is_asked_about_recipients_elsewhere_only(house):
    asked = []

    async def probe(envelope, recipient):
        asked.append(str(recipient.address))
        if recipient.address.local == "nobody":
            raise Refused(Reason.NO_SUCH_ADDRESS)
        return Recipient(recipient.address, detail="probed")

    way = inbound(house, probes=[probe])
    made = envelope(way, "alice")
    later = way.probe(made, made.recipients[0])
    assert later is None
    there = await way.probe(made, Recipient(mailbox("x@backup.example")))
    assert there == Recipient(mailbox("x@backup.example"), detail="probed")
    with pytest.raises(Refused):
        await way.probe(made, Recipient(mailbox("nobody@backup.example")))
    assert asked == ["x@backup.example", "nobody@backup.example"]


async def test_probe_that_need_not_wait_lets_nobody_wait_and_the_next_is_asked(house):
    asked, told = [], []

    class Heard(Check):
        def refused(self, envelope, address, problem):
            told.append(str(address))

    def known(envelope, recipient):
        asked.append("known")
        if recipient.address.local == "nobody":
            raise Refused(Reason.NO_SUCH_ADDRESS)

    async def other(envelope, recipient):
        asked.append("other")
        return Recipient(recipient.address, detail="probed")

    def last(envelope, recipient):
        asked.append(recipient.detail)

    made = envelope(way := inbound(house, probes=[known], checks=[Heard()]))
    assert way.probe(made, Recipient(mailbox("x@backup.example"))) is None
    with pytest.raises(Refused):
        way.probe(made, Recipient(mailbox("nobody@backup.example")))
    assert (asked, told) == (["known", "known"], ["nobody@backup.example"])
    asked.clear()
    way = inbound(house, probes=[known, other, last])
    found = await way.probe(made, Recipient(mailbox("x@backup.example")))
    assert (found.detail, asked) == ("probed", ["known", "other", "probed"])


# --- points -------------------------------------------------------------------------------------------


def scored(house: MailHouse, points: float, **scores) -> Inbound:
    def score(passage: Passage) -> None:
        passage.verdict.points["cats"] = points

    return inbound(house, scores=[score], policy=Policy(scores=Scores(**scores)))


async def test_points_add_a_field_and_lead_to_junk(house):
    way = scored(house, 5.0, tag=3, junk=5, refuse=10)
    assert await way.accept(envelope(way, "alice"), LETTER) == [None]
    assert await house.count("alice") == 0
    junk = house.store.peek(folders.by_role, await house.account_id("alice"), "junk")
    (entry,) = house.store.peek(entries.listing, junk.id)
    assert entry.keywords == ("$Junk",)
    ref = house.store.peek(entries.body_ref, junk.id, entry.uid)
    assert b"\r\nX-Spam-Score: 5.0 (cats=5.0)\r\n" in house.store.read_body(ref)


async def test_points_below_every_limit_change_nothing(house):
    way = scored(house, 2.9, tag=3, junk=5, refuse=10)
    assert await way.accept(envelope(way, "alice"), LETTER) == [None]
    assert b"X-Spam" not in await house.last("alice")


async def test_quarantine_folder_is_made_when_it_is_needed(house):
    way = scored(house, 7.0, junk=5, quarantine=6)
    for _ in range(2):
        assert await way.accept(envelope(way, "alice", "bob"), LETTER) == [None, None]
    for name in ("alice", "bob"):
        found = house.store.peek(folders.find, await house.account_id(name), "Quarantine")
        assert found.messages == 2


async def test_too_many_points_refuse_after_the_data(house):
    way = scored(house, 10.0, junk=5, refuse=10)
    with pytest.raises(Refused) as caught:
        await way.accept(envelope(way, "alice"), LETTER)
    assert caught.value.reason is Reason.POLICY
    assert await house.count("alice") == 0


# --- Authentication-Results --------------------------------------------------------------------------------


async def test_results_that_claim_to_be_ours_are_removed(house):
    """RFC 8601 5: a border removes what bears its own identifier, in any spelling, and leaves the rest."""
    letter = (
        b"Authentication-Results: MX.Example.ORG 1; spf=pass\r\n\tsmtp.mailfrom=a@b\r\n"
        b"Subject: x\r\nauthentication-results : (a \\( comment) mx.example.org;\r\n none\r\n"
        b'Authentication-Results: "mx.example.org"; dkim=pass\r\n'
        b"Authentication-Results: other.example; dkim=pass\r\n\r\n"
        b"body Authentication-Results: mx.example.org\r\n"
    )
    way = inbound(house)
    assert await way.accept(envelope(way, "alice"), content_of(letter)) == [None]
    got = await house.last("alice")
    assert got.endswith(
        b"\r\nSubject: x\r\nAuthentication-Results: other.example; dkim=pass\r\n\r\n"
        b"body Authentication-Results: mx.example.org\r\n"
    )
    assert got.lower().count(b"mx.example.org;") == 0


async def test_a_large_message_is_rewritten_on_disk(house):
    body = b"0123456789" * 20 + b"\r\n"
    spool = house.store.spool()
    spool.write(b"Subject: x\r\nAuthentication-Results: mx.example.org; spf=pass\r\n\r\n" + body * 1000)
    content = await spool.finish()
    assert content.path is not None
    way = inbound(house)
    assert await way.accept(envelope(way, "alice"), content) == [None]
    assert (await house.last("alice")).endswith(b"Subject: x\r\n\r\n" + body * 1000)


async def test_results_of_a_trusted_host_stay(house):
    await house.given("option relay_networks 192.0.2.0/24")
    way = house.inbound
    letter = b"Authentication-Results: mx.example.org; spf=pass\r\nSubject: x\r\n\r\nbody\r\n"
    assert await way.accept(envelope(way, "alice"), content_of(letter)) == [None]
    assert b"Authentication-Results: mx.example.org; spf=pass\r\n" in await house.last("alice")


@pytest.mark.parametrize(
    ("value", "identifier"),
    [
        (b"example.com 1; none", "example.com"),
        (b" example.com;none", "example.com"),
        (b"(c) (d (e)) example.com (f) 1; none", "example.com"),
        (b'"exa\\mple.com" ; none', "example.com"),
        (b"; none", ""),
        (b"", ""),
        (b"(never closed example.com", ""),
        (b'"never closed', "never closed"),
        ("bücher.example; none".encode(), "bücher.example"),
        (b"\xff\xfe; none", "\ufffd\ufffd"),
    ],
)
def test_identifiers(value, identifier):
    """RFC 8601 2.2."""
    assert authres.authserv_id(value) == identifier


def test_field_quotes_what_must_be_quoted_and_cannot_be_broken_out_of():
    """RFC 8601 2.2: values and reasons."""
    findings = [
        Finding("spf", "fail", (("smtp.mailfrom", "a b@example.net"),), 'said "no"\r\nEvil: yes'),
        Finding("dkim", "pass", (("header.d", "example.net"), ("header.b", "a;b=="))),
        Finding("x\r\ny", "pa ss", (("smtp.helo", "x (y\r\n"),)),
    ]
    made = authres.field("mx.example.org", findings)
    assert made == (
        b"Authentication-Results: mx.example.org;\r\n"
        b'\tspf=fail reason="said \\"no\\"??Evil: yes" smtp.mailfrom="a b"@example.net;\r\n'
        b'\tdkim=pass header.d=example.net header.b="a;b==";\r\n'
        b'\tx--y=pa-ss smtp.helo="x (y??"\r\n'
    )
    digest = scan.scan(made + b"\r\n")
    assert [name for name, _ in digest.headers] == [b"Authentication-Results"]
    assert authres.field("mx.example.org", []) == b"Authentication-Results: mx.example.org;\r\n\tnone\r\n"


def test_verdict_tells_the_first_result_of_a_method():
    verdict = Verdict()
    assert verdict.empty
    verdict.add("dkim", "fail", header_d="a.example")
    verdict.add("dkim", "pass", header_d="b.example")
    assert verdict.results == {"dkim": "fail"}
    assert verdict.findings[1].properties == (("header.d", "b.example"),)
    assert not verdict.empty
