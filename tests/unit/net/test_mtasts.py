"""MTA-STS: records, policies, and fetching them from a web server on loopback (RFC 8461 3)."""

import contextlib

import pytest

from quintet.errors import BadSyntax
from quintet.net import mtasts
from quintet.net.https import Https
from quintet.net.mtasts import Fetcher, FetchFailed, StsPolicy
from tests.support import pki
from tests.support.dnszone import dns_server
from tests.support.webhost import web_host

POLICY = (
    b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"
)
KNOWN = StsPolicy("enforce", 604_800, ("mail.example.com", "*.example.net"))


@pytest.mark.parametrize(
    "records, found",
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),  # the standard's own
        ([b"v=STSv1;id=1"], "1"),
        ([b"v=STSv1 ;\tid=1 ; x=y"], "1"),
        ([b"v=STSv1; x=y; id=1; id=2"], "1"),
        ([b"other", b"v=STSv1; id=1"], "1"),
        ([], None),
        ([b"v=STSv1; id=1", b"v=STSv1; id=1"], None),  # not exactly one
        ([b"v=STSv2; id=1"], None),
        ([b"v=STSv11; id=1"], None),
        ([b"id=1; v=STSv1"], None),  # must begin with the version
        ([b"v=stsv1; id=1"], None),
        ([b"v=STSv1;"], None),
        ([b"v=STSv1; id="], None),
        ([b"v=STSv1; id=a_b"], None),
        ([b"v=STSv1; id=" + b"1" * 33], None),
        ([b"v=STSv1; id=1;; x=y"], None),
        ([b"v=STSv1; id=1; x"], None),
        ([b"v=STSv1; id=1; \xc3\xa4=1"], None),
    ],
)
def test_record(records, found):
    # RFC 8461 3.1
    assert mtasts.record_id(records) == found


@pytest.mark.parametrize(
    "raw, found",
    [
        (POLICY, KNOWN),
        (POLICY.replace(b"\r\n", b"\n"), KNOWN),
        (POLICY.rstrip(), KNOWN),
        (
            POLICY + b"mode: none\r\nfuture: \xc3\xa4 b\r\n",
            KNOWN,
        ),  # repeated: the first; unknown: passed over
        (POLICY.replace(b": ", b":"), KNOWN),
        (POLICY.replace(b"\r\n", b" \r\n"), KNOWN),
        (b"max_age: 1\nmode: none\nversion: STSv1\n", StsPolicy("none", 1, ())),
        (POLICY.replace(b"604800", b"9999999999"), StsPolicy("enforce", 31_557_600, KNOWN.mx)),
        (POLICY.replace(b"mail.example.com", b"Mail.Example.COM"), KNOWN),
    ],
)
def test_policy(raw, found):
    # RFC 8461 3.2
    assert mtasts.parse(raw) == found
    assert mtasts.parse(found.text().encode()) == found


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        POLICY.replace(b"STSv1", b"STSv2"),
        POLICY.replace(b"version", b"Version"),
        POLICY.replace(b"enforce", b"Enforce"),
        POLICY.replace(b"604800", b""),
        POLICY.replace(b"604800", b"-1"),
        POLICY.replace(b"604800", b"1e9"),
        POLICY.replace(b"604800", "٦٠٤٨٠٠".encode()),
        POLICY.replace(b"mail.example.com", b"mail..example.com"),
        POLICY.replace(b"*.example.net", b"a.*.example.net"),
        POLICY.replace(b"*.example.net", b"*"),
        POLICY.replace(b"*.example.net", b"*.example.net x"),
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        POLICY + b"x: \xff\r\n",
        POLICY + b"x: a\0b\r\n",
        POLICY + b"nothing\r\n",
        POLICY + b"x: y\r\n" * 20_000,
        b"version: STSv1\nmode: enforce\nmax_age: 1\n" + b"".join(b"mx: a%d.b\n" % n for n in range(600)),
    ],
)
def test_what_is_no_policy(raw):
    with pytest.raises(BadSyntax):
        mtasts.parse(raw)


@pytest.mark.parametrize(
    "host, allowed",
    [
        ("mail.example.com", True),
        ("MAIL.example.com.", True),
        ("a.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        ("mail.example.com.evil.test", False),
    ],
)
def test_hosts_of_a_policy(host, allowed):
    # RFC 8461 4.1
    assert KNOWN.allows(host) is allowed


# --- fetching -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root() -> pki.Holder:
    return pki.authority()


@pytest.fixture
def fetching(root, tmp_path):
    """A web server for mta-sts.example.com, and a fetcher that trusts its authority."""
    (tmp_path / "root.pem").write_bytes(root.certificate.public_bytes(pki.PEM))

    @contextlib.asynccontextmanager
    async def made(holder: pki.Holder | None = None, *, private: bool = True, timeout_s: float = 5.0):
        holder = holder or pki.issue(["mta-sts.example.com"], root)
        async with (
            dns_server("mta-sts.example.com. A 127.0.0.1") as zone,
            web_host(holder.context(tmp_path)) as host,
        ):
            https = Https(zone.resolver(), ca_file=str(tmp_path / "root.pem"), private=private)
            yield host, Fetcher(https, timeout_s=timeout_s, port=host.port)

    return made


async def kind(fetcher: Fetcher, domain: str = "example.com") -> str:
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(domain)
    return caught.value.kind


async def test_policy_is_fetched_by_the_fixed_name(fetching):
    async with fetching() as (host, fetcher):
        host.says(POLICY, kind="text/plain; charset=utf-8")
        assert await fetcher.fetch("example.com") == POLICY
        line, fields, _ = host.asked[0]
        assert line == "GET /.well-known/mta-sts.txt HTTP/1.1"
        assert fields["host"] == f"mta-sts.example.com:{host.port}"
        assert "cookie" not in fields


async def test_chunked_policy(fetching):
    async with fetching() as (host, fetcher):
        host.answer = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(POLICY), POLICY)
        )
        assert await fetcher.fetch("example.com") == POLICY


async def test_policy_over_two_reads_and_wildcard_certificate(fetching, root):
    async with fetching(pki.issue(["*.example.com"], root)) as (host, fetcher):
        host.says(POLICY + b"x: " + b"y" * 60_000)
        assert len(await fetcher.fetch("example.com")) > 60_000


@pytest.mark.parametrize(
    "status, media, more, found",
    [
        ("301 Moved", "text/plain", "Location: https://mta-sts.example.com/x\r\n", mtasts.FETCH_ERROR),
        ("404 Not Found", "text/plain", "", mtasts.FETCH_ERROR),
        ("500 Oops", "text/plain", "", mtasts.FETCH_ERROR),
        ("200 OK", "text/html", "", mtasts.INVALID),
    ],
)
async def test_answers_that_are_no_policy(fetching, status, media, more, found):
    # RFC 8461 3.3: redirects are not followed
    async with fetching() as (host, fetcher):
        host.says(POLICY, status, media, more)
        assert await kind(fetcher) == found
        assert len(host.asked) == 1


async def test_policy_without_end_is_cut_off(fetching):
    async with fetching() as (host, fetcher):
        host.says(b"x: y\r\n" * 12_000)
        assert await kind(fetcher) == mtasts.INVALID


async def test_silence_hanging_up_and_garbage(fetching):
    async with fetching(timeout_s=0.2) as (host, fetcher):
        for answer in (
            None,
            b"",
            b"\0\xff garbage\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
        ):
            host.answer = answer
            assert await kind(fetcher) in (mtasts.FETCH_ERROR, mtasts.INVALID)


@pytest.mark.parametrize("case", ("name", "signer", "date", "common name"))
async def test_server_that_proves_nothing(fetching, root, case):
    # RFC 8461 3.3
    holder = {
        "name": lambda: pki.issue(["example.com"], root),
        "signer": lambda: pki.issue(["mta-sts.example.com"]),
        "date": lambda: pki.issue(["mta-sts.example.com"], root, days=(-9, -2)),
        "common name": lambda: pki.issue([], root, common="mta-sts.example.com"),
    }[case]()
    async with fetching(holder) as (host, fetcher):
        host.says(POLICY)
        assert await kind(fetcher) == mtasts.WEBPKI
        assert host.asked == []


async def test_name_that_leads_into_our_own_network_is_not_asked(fetching):
    async with fetching(private=False) as (host, fetcher):
        host.says(POLICY)
        assert await kind(fetcher) == mtasts.FETCH_ERROR
        assert host.asked == []


async def test_policy_host_that_does_not_exist(fetching):
    async with fetching() as (_, fetcher):
        assert await kind(fetcher, "example.org") == mtasts.FETCH_ERROR
