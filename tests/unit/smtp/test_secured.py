"""TLS with the next host as a policy wants it: real handshakes on loopback, authorities of our own.

RFC 3207, RFC 7672 3, RFC 8461 4.2, RFC 8689 4.2.1, RFC 8460 4.3.
"""

import asyncio
import dataclasses
import ssl

import pytest

from quintet.delivery.tlspolicy import CLEAR, OPPORTUNISTIC, HopPolicy, Outcome, of_route
from quintet.delivery.transport import Hop
from quintet.errors import Reason
from quintet.net import dane
from quintet.smtp.client import SmtpTransport
from quintet.smtp.secured import NotSecured, TlsFailed
from tests.support import pki
from tests.support.nexthost import NextHost, next_host
from tests.support.serving import ended

VERIFIED = HopPolicy("verify", ("mx.test",), why="mta-sts")
OFFERS = ["PIPELINING", "STARTTLS"]


@pytest.fixture(scope="module")
def root() -> pki.Holder:
    return pki.authority()


@pytest.fixture(scope="module")
def ca_file(root, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("ca") / "root.pem"
    path.write_bytes(root.certificate.public_bytes(pki.PEM))
    return str(path)


@pytest.fixture
def serve(tmp_path):
    """A host with this certificate."""

    def made(holder: pki.Holder | None, **options):
        context = None if holder is None else holder.context(tmp_path)
        return next_host(context=context, **{"offers": list(OFFERS), **options})

    return made


async def connected(host: NextHost, policy: HopPolicy, ca_file: str | None = None):
    """The link and what was told, or the problem and what was told."""
    told: list[Outcome] = []
    policy = dataclasses.replace(policy, tell=told.append)
    hop = Hop("mx.test", "127.0.0.1", host.port, policy=policy)
    try:
        link = await SmtpTransport("us.test", ca_file=ca_file).connect(hop)
    except (TlsFailed, NotSecured) as problem:
        return problem, [each.kind for each in told]
    secure = link.secure
    await link.close()
    return secure, [each.kind for each in told]


async def test_what_is_offered_is_taken_whoever_signed_it(serve):
    async with serve(pki.issue(["other.test"], days=(-9, -2))) as host:
        assert await connected(host, OPPORTUNISTIC) == (True, [""])
        assert await connected(host, HopPolicy("must")) == (True, [""])
        assert host.heard.count("EHLO us.test") == 4  # RFC 3207 4.2: once more under TLS


async def test_cleartext_is_not_made_secret(serve):
    async with serve(pki.issue(["mx.test"])) as host:
        assert await connected(host, CLEAR) == (False, [])
        assert "STARTTLS" not in host.heard


async def test_host_without_starttls(serve):
    async with serve(None, offers=["PIPELINING"]) as host:
        assert await connected(host, OPPORTUNISTIC) == (False, ["starttls-not-supported"])
        problem, told = await connected(host, HopPolicy("must"))
        assert (problem.status, problem.reason) == ("4.7.4", Reason.TLS_REQUIRED)
        assert problem.text == "mx.test offers no TLS"
        assert told == ["starttls-not-supported"]
        assert not any(line.startswith("MAIL") for line in host.heard)


async def test_starttls_that_is_refused_is_no_downgrade(serve):
    # RFC 3207 6: whoever sits between may say so
    async with serve(None, replies={"STARTTLS": "454 4.7.0 not now"}) as host:
        assert await connected(host, OPPORTUNISTIC) == (False, ["starttls-not-supported"])
        problem, _ = await connected(host, VERIFIED)
        assert "refused STARTTLS: 454 4.7.0 not now" in problem.text


async def test_broken_handshake_is_forgiven_where_tls_is_a_wish(serve):
    async with serve(None, replies={"STARTTLS": "220 go"}) as host:  # and then speaks on in the clear
        assert await connected(host, OPPORTUNISTIC) == (False, ["validation-failure"])
        assert host.connections == 2
        problem, told = await connected(host, HopPolicy("must"))
        assert (problem.kind, told) == ("validation-failure", ["validation-failure"])
        assert host.connections == 3


@pytest.mark.parametrize(
    "names, days, signed, found",
    [
        (["mx.test"], (-1, 9), True, ""),
        (["*.test"], (-1, 9), True, "certificate-host-mismatch"),  # a whole top level domain
        (["other.test"], (-1, 9), True, "certificate-host-mismatch"),
        ([], (-1, 9), True, "certificate-host-mismatch"),  # common name only: RFC 8461 4.2
        (["mx.test"], (-9, -2), True, "certificate-expired"),
        (["mx.test"], (2, 9), True, "certificate-expired"),
        (["mx.test"], (-1, 9), False, "certificate-not-trusted"),
    ],
)
async def test_certificate_by_authorities(serve, root, ca_file, names, days, signed, found):
    holder = pki.issue(names, root if signed else None, days=days, common="mx.test")
    async with serve(holder) as host:
        result, told = await connected(host, VERIFIED, ca_file)
        assert told == [found]
        if not found:
            assert result is True
            return
        assert (result.kind, result.status) == (found, "4.7.5")
        assert not any(line.startswith("MAIL") for line in host.heard)


async def test_other_names_where_the_administrator_says_so(serve, root, ca_file):
    async with serve(pki.issue(["a.hosts.test"], root)) as host:
        assert await connected(host, HopPolicy("verify", (".hosts.test",)), ca_file) == (True, [""])


async def test_tested_policy_tells_and_sends_all_the_same(serve, ca_file):
    # RFC 8461 5
    policy = dataclasses.replace(VERIFIED, fallback=OPPORTUNISTIC)
    async with serve(pki.issue(["mx.test"])) as host:
        assert await connected(host, policy, ca_file) == (True, ["certificate-not-trusted"])
    async with serve(None, offers=[]) as host:
        assert await connected(host, policy, ca_file) == (False, ["starttls-not-supported"])


@pytest.mark.parametrize("what", ("end entity", "key", "anchor", "sibling"))
async def test_certificate_by_tlsa_records(serve, root, what):
    middle = pki.authority("Middle", root)
    holder, other = pki.issue(["mx.test"], middle), pki.issue(["mx.test"], middle)
    text, found = {
        "end entity": (holder.tlsa(3, 0, 2), ""),
        "key": (holder.tlsa(3, 1, 1), ""),
        "anchor": (root.tlsa(2, 0, 1), ""),  # the chain as the server sent it is looked at
        "sibling": (other.tlsa(3, 1, 1), "certificate-not-trusted"),
    }[what]
    async with serve(holder) as host:
        result, told = await connected(host, HopPolicy("verify", ("mx.test",), (dane.read(text),)))
        assert told == [found]
        assert (result is True) == (not found)


async def test_tlsa_base_domain_is_the_name_in_the_handshake(serve, root):
    # RFC 7672 8.1
    asked: list[str | None] = []
    holder = pki.issue(["base.test"], root)
    async with serve(holder) as host:
        assert host.context is not None
        host.context.sni_callback = lambda _, name, __: asked.append(name)
        policy = HopPolicy("verify", ("base.test",), (dane.read(root.tlsa(2, 1, 1)),), sni="base.test")
        assert await connected(host, policy) == (True, [""])
        await connected(host, HopPolicy("must"))
    assert asked == ["base.test", "mx.test"]


async def test_pinned_certificate_or_key(serve):
    holder, other = pki.issue(["x.test"]), pki.issue(["x.test"])
    async with serve(holder) as host:
        for selector in (0, 1):
            pin = holder.tlsa(3, selector, 1).split()[-1]
            assert await connected(host, HopPolicy("verify", pins=(pin,))) == (True, [""])
        pin = other.tlsa(3, 0, 1).split()[-1]
        problem, _ = await connected(host, HopPolicy("verify", pins=(pin,)))
        assert problem.kind == "certificate-not-trusted"


async def test_old_tls_is_no_tls(serve):
    # RFC 8996
    async with serve(pki.issue(["mx.test"])) as host:
        assert host.context is not None
        host.context.set_ciphers("ALL:@SECLEVEL=0")
        host.context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            host.context.maximum_version = ssl.TLSVersion.TLSv1_1
        problem, _ = await connected(host, HopPolicy("must"))
        assert problem.kind == "validation-failure"


async def test_requiretls_needs_a_host_that_hands_it_on(serve, root, ca_file):
    # RFC 8689 4.2.1
    strict = dataclasses.replace(VERIFIED, strict=True)
    holder = pki.issue(["mx.test"], root)
    async with serve(holder, offers=[*OFFERS, "REQUIRETLS"]) as host:
        assert (await connected(host, strict, ca_file))[0] is True
    async with serve(holder) as host:
        problem, _ = await connected(host, strict, ca_file)
        assert isinstance(problem, NotSecured)
        assert (problem.status, problem.text) == ("5.7.30", "mx.test does not support REQUIRETLS")
    async with serve(None, offers=["REQUIRETLS"]) as host:
        problem, _ = await connected(host, strict, ca_file)
        assert (type(problem), problem.status) == (NotSecured, "5.7.10")
    async with serve(pki.issue(["mx.test"]), offers=[*OFFERS, "REQUIRETLS"]) as host:
        problem, _ = await connected(host, strict, ca_file)
        assert (type(problem), problem.status) == (NotSecured, "5.7.10")


async def test_implicit_tls_of_a_route(root, ca_file, tmp_path):
    host = NextHost(offers=["PIPELINING"])
    context = pki.issue(["mx.test"], root).context(tmp_path)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=context)
    host.port = server.sockets[0].getsockname()[1]
    try:
        assert await connected(host, of_route("implicit", "mx.test"), ca_file) == (True, [""])
        problem, _ = await connected(host, of_route("implicit", "other.test"), ca_file)
        assert problem.kind == "certificate-host-mismatch"
    finally:
        await ended(server)
