"""Reports about TLS: who wants them, what stands in them, how they leave (RFC 8460)."""

import email
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quintet.clock import FrozenClock
from quintet.config.store import Store as StoreConfig
from quintet.delivery import tlsrpt
from quintet.delivery.tlspolicy import Demand, Outcome, demand
from quintet.delivery.tlsreporter import MAX_TRIES, TlsReporter
from quintet.delivery.tlsrpt import Reporter
from quintet.delivery.tlstally import Applied, Tally
from quintet.message import scan
from quintet.net.https import Https
from quintet.store import entries, queue, tlsresults
from quintet.store.model import MessageId
from quintet.store.store import Store
from tests.support import pki
from tests.support.dnszone import DnsServer, dns_server
from tests.support.webhost import WebHost, web_host

DAY_S = 86_400
US = Reporter("Example Org", "postmaster@example.org", "mx.example.org")
STS = Applied("sts", "example.com", ("version: STSv1", "mode: testing"), ("mx.example.com",))
TLSA = Applied("tlsa", "mx.example.com", ("3 1 1 ab",), ("mx.example.com",))
EXPIRED = Outcome("certificate-expired", "until yesterday", "192.0.2.1", "198.51.100.1")


@pytest.mark.parametrize(
    "records, found",
    [
        ([b"v=TLSRPTv1;rua=mailto:reports@example.com"], ("mailto:reports@example.com",)),
        (
            [b"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"],
            ("https://reporting.example.com/v1/tlsrpt",),
        ),
        (
            [b"v=TLSRPTv1; rua=mailto:a@example.com , https://b.example.com/?x=1&y=2 ;"],
            ("mailto:a@example.com", "https://b.example.com/?x=1&y=2"),
        ),
        ([b"v=TLSRPTv1; x=1; rua=mailto:a@example.com; rua=mailto:b@example.com"], ("mailto:a@example.com",)),
        ([b"spf", b"v=TLSRPTv1; rua=mailto:a@example.com"], ("mailto:a@example.com",)),
        ([b"v=TLSRPTv1; rua=mailto:a@example.com"] * 2, ()),
        ([b"v=TLSRPTv2; rua=mailto:a@example.com"], ()),
        ([b"v=TLSRPTv1"], ()),
        ([b"v=TLSRPTv1;"], ()),
        ([b"v=TLSRPTv1; rua="], ()),
        ([b"v=TLSRPTv1; rua=ftp://a.example.com"], ()),
        ([b"v=TLSRPTv1; rua=http://a.example.com"], ()),
        ([b"v=TLSRPTv1; rua=https://192.0.2.1/"], ("https://192.0.2.1/",)),
        ([b"v=TLSRPTv1; rua=https://localhost/"], ()),
        ([b"v=TLSRPTv1; rua=https://a@b.example.com/"], ()),
        ([b"v=TLSRPTv1; rua=https://b.example.com:x/"], ()),
        ([b"v=TLSRPTv1; rua=mailto:a@b@example.com"], ()),
        ([b"v=TLSRPTv1; rua=mailto:a%0d%0aBcc:x@example.com"], ()),
        ([b"v=TLSRPTv1; rua=mailto:%22a%20b%22@example.com"], ()),
        ([b"v=TLSRPTv1; rua=mailto:a@example.com?subject=x"], ("mailto:a@example.com?subject=x",)),
        ([b"v=TLSRPTv1; nonsense; rua=mailto:a@example.com"], ()),
        (
            [b"v=TLSRPTv1; rua=" + b",".join(b"mailto:a%d@b.test" % n for n in range(20))],
            tuple(f"mailto:a{n}@b.test" for n in range(tlsrpt.MAX_URIS)),
        ),
    ],
)
def test_record(records, found):
    # RFC 8460 3
    assert tlsrpt.destinations(records) == found


def test_report_adds_up_by_policy():
    # RFC 8460 4.4
    tally = Tally()
    for _ in range(3):
        tally.count("example.com", STS, "mx.example.com", Outcome(""))
    tally.count("example.com", STS, "mx.example.com", EXPIRED)
    tally.count("example.com", STS, "mx.example.com", EXPIRED)
    tally.count("example.com", STS, "", Outcome("sts-policy-fetch-error", "answers 404"))
    tally.count("example.com", TLSA, "mx.example.com", Outcome(""))
    tally.count("example.com", Applied(), "mx.example.com", Outcome("starttls-not-supported", ""))
    made = tlsrpt.report("example.com", 20_000, tally.take()["example.com"], US, "abc")
    assert made.filename == "example.org!example.com!1728000000!1728086399!abc.json.gz"
    found = json.loads(gzip.decompress(made.packed))
    assert found["organization-name"] == "Example Org"
    assert found["contact-info"] == "postmaster@example.org"
    assert found["date-range"] == {
        "start-datetime": "2024-10-04T00:00:00Z",
        "end-datetime": "2024-10-04T23:59:59Z",
    }
    by_type = {each["policy"]["policy-type"]: each for each in found["policies"]}
    assert by_type["sts"]["policy"] == {
        "policy-type": "sts",
        "policy-string": ["version: STSv1", "mode: testing"],
        "policy-domain": "example.com",
        "mx-host": ["mx.example.com"],
    }
    assert by_type["sts"]["summary"] == {
        "total-successful-session-count": 3,
        "total-failure-session-count": 3,
    }
    assert {
        "result-type": "certificate-expired",
        "sending-mta-ip": "198.51.100.1",
        "receiving-mx-hostname": "mx.example.com",
        "receiving-ip": "192.0.2.1",
        "failed-session-count": 2,
        "failure-reason-code": "until yesterday",
    } in by_type["sts"]["failure-details"]
    assert by_type["tlsa"]["policy"]["policy-string"] == ["3 1 1 ab"]
    assert by_type["no-policy-found"]["policy"] == {
        "policy-type": "no-policy-found",
        "policy-domain": "example.com",
    }


def test_letter_is_a_report_that_comes_through():
    # RFC 8460 5.3
    made = tlsrpt.report("example.com", 20_000, [], US, "abc")
    raw = tlsrpt.letter(made, US, "reports@example.com", 1_728_090_000_000, "t0k")
    digest = scan.scan(raw)
    assert digest.header("TLS-Report-Domain") == b"example.com"
    assert digest.header("TLS-Report-Submitter") == b"example.org"
    subject = digest.header("subject")
    assert subject is not None
    assert subject.split() == (
        b"Report Domain: example.com Submitter: example.org Report-ID: <20000.abc@example.org>".split()
    )
    assert demand(False, True, digest) is Demand.IGNORE
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b'multipart/report; report-type="tlsrpt"' in raw
    parsed = email.message_from_bytes(raw)
    text, attached = parsed.get_payload()
    assert attached.get_content_type() == "application/tlsrpt+gzip"
    assert attached.get_filename() == made.filename
    assert attached.get_payload(decode=True) == made.packed
    assert "example.com" in text.get_payload()


# --- written down and sent ------------------------------------------------------------------------------


class World:
    def __init__(self, store: Store, zone: DnsServer, clock: FrozenClock, ca_file: str) -> None:
        self.store, self.zone, self.clock, self.tally = store, zone, clock, Tally()
        https = Https(zone.resolver(), ca_file=ca_file, private=True)
        self.reporter = TlsReporter(store, self.tally, zone.resolver(cache=0), https, US, clock=clock)

    def wants(self, rua: str, domain: str = "example.com") -> None:
        self.zone.add(f'_smtp._tls.{domain}. TXT "v=TLSRPTv1; rua={rua}"')

    def count(self, domain: str = "example.com", outcome: Outcome = EXPIRED) -> None:
        self.tally.count(domain, STS, "mx.example.com", outcome)

    def owed(self) -> list[tuple[str, int]]:
        return [(each.domain, each.tries) for each in self.store.peek(all_owed)]

    def letters(self) -> list[tuple[str, bytes]]:
        found = []
        for row in self.store.peek(queue.listing):
            ref = self.store.peek(entries.message_body, MessageId(row.message_row))
            found.append((row.address, self.store.read_body(ref)))
        return found


def all_owed(tx) -> list[tlsresults.Owed]:
    rows = tx.all("SELECT domain, day, tries, due_at FROM tls_report ORDER BY domain, day")
    return [tlsresults.Owed(*row) for row in rows]


@pytest.fixture
async def world(tmp_path: Path, root: pki.Holder) -> AsyncIterator[World]:
    (tmp_path / "root.pem").write_bytes(root.certificate.public_bytes(pki.PEM))
    clock = FrozenClock()
    store = await Store.open(StoreConfig(data=str(tmp_path / "data"), sync="off"), clock=clock)
    async with dns_server("reports.example.com. A 127.0.0.1") as zone:
        yield World(store, zone, clock, str(tmp_path / "root.pem"))
    await store.close()


@pytest.fixture(scope="module")
def root() -> pki.Holder:
    return pki.authority()


@pytest.fixture
async def web(tmp_path: Path, root: pki.Holder) -> AsyncIterator[WebHost]:
    async with web_host(pki.issue(["reports.example.com"], root).context(tmp_path)) as host:
        yield host


async def test_a_report_by_mail_is_signed(world: World) -> None:
    """RFC 8460 3: by the domain of who sends it."""
    world.reporter._seal = lambda data: b"DKIM-Signature: x\r\n" + data
    world.wants("mailto:reports@example.com")
    world.count()
    await world.reporter.collect()
    world.clock.advance(2 * 86_400)
    await world.reporter.send()
    ((_, letter),) = world.letters()
    assert letter.startswith(b"DKIM-Signature: x\r\n")


async def test_only_domains_that_want_to_know_are_written_down(world: World):
    world.wants("mailto:r@example.com")
    world.zone.break_("_smtp._tls.broken.example")
    for domain in ("example.com", "example.net", "broken.example"):
        world.count(domain)
    assert await world.reporter.collect() == 2
    assert world.owed() == [("broken.example", 0), ("example.com", 0)]
    assert await world.reporter.collect() == 0


async def test_day_is_told_when_it_is_over_and_only_once(world: World):
    world.wants("mailto:r@example.com")
    world.count()
    await world.reporter.collect()
    world.count()
    await world.reporter.collect()
    assert await world.reporter.send() is False
    assert world.letters() == []
    world.clock.advance(DAY_S - world.clock.now() / 1000 % DAY_S + 3600)
    await world.reporter.send()
    assert world.letters() == []  # RFC 8460 4.1: not all reporters at midnight
    world.clock.advance(5 * 3600)
    await world.reporter.send()
    [(address, raw)] = world.letters()
    assert address == "r@example.com"
    report = json.loads(
        gzip.decompress(email.message_from_bytes(raw).get_payload()[1].get_payload(decode=True))
    )
    assert report["policies"][0]["failure-details"][0]["failed-session-count"] == 2
    assert world.owed() == []
    await world.reporter.send()
    assert len(world.letters()) == 1
    assert [row.sender for row in world.store.peek(queue.listing)] == [""]


async def test_report_is_posted(world: World, web: WebHost):
    # RFC 8460 5.4
    world.wants(f"https://reports.example.com:{web.port}/in?x=1")
    world.count()
    await world.reporter.collect()
    world.clock.advance(2 * DAY_S)
    web.says(b"", "201 Created")
    await world.reporter.send()
    [(line, fields, body)] = web.asked
    assert line == "POST /in?x=1 HTTP/1.1"
    assert fields["content-type"] == "application/tlsrpt+gzip"
    assert json.loads(gzip.decompress(body))["contact-info"] == "postmaster@example.org"
    assert world.owed() == []


async def test_post_that_fails_goes_to_the_next_address(world: World, web: WebHost):
    world.wants(f"https://reports.example.com:{web.port}/,mailto:r@example.com")
    world.count()
    await world.reporter.collect()
    world.clock.advance(2 * DAY_S)
    web.says(b"", "500 No")
    await world.reporter.send()
    assert [address for address, _ in world.letters()] == ["r@example.com"]


async def test_report_is_tried_for_a_day_and_then_given_up(world: World, web: WebHost):
    # RFC 8460 5.5
    world.wants(f"https://reports.example.com:{web.port}/")
    world.count()
    await world.reporter.collect()
    world.clock.advance(2 * DAY_S)
    web.says(b"", "500 No")
    waited = 0
    while world.owed():
        await world.reporter.send()
        world.clock.advance(600)
        waited += 600
        assert waited < 2 * DAY_S
    assert len(web.asked) == MAX_TRIES
    assert 12 * 3600 < waited < DAY_S
    ids = {json.loads(gzip.decompress(body))["report-id"] for _, _, body in web.asked}
    assert len(ids) == 1
    assert world.store.peek(tlsresults.details, "example.com", 0) == []


async def test_domain_that_changed_its_mind_is_left_alone(world: World):
    world.wants("mailto:r@example.com")
    world.count()
    await world.reporter.collect()
    world.zone.records.clear()
    world.clock.advance(2 * DAY_S)
    await world.reporter.send()
    assert world.letters() == []
    assert world.owed() == []


async def test_table_has_bounds(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tlsresults, "MAX_A_DOMAIN", 2)
    monkeypatch.setattr(tlsresults, "MAX_REPORTS", 1)
    for domain in ("a.example", "b.example"):
        world.wants("mailto:r@example.com", domain)
        for number in range(3):
            world.count(domain, Outcome("validation-failure", str(number)))
    await world.reporter.collect()
    assert len(world.owed()) == 1
    day = world.clock.now() // (DAY_S * 1000)
    assert len(world.store.peek(tlsresults.details, world.owed()[0][0], day)) == 2
