"""A backup MX that knows which recipients exist: RFC 5321 3.6.1, 5."""

import pytest

from quintet.auth.identity import Identity
from quintet.config.queue import Queue
from quintet.config.relay import Relay
from quintet.config.route import Route
from quintet.delivery.envelope import Envelope, Mailbox, Recipient
from quintet.delivery.route import Router
from quintet.delivery.verify_recipient import VerifyRecipient
from quintet.errors import Reason, Refused, TryLater
from quintet.net.dns import Resolver
from quintet.net.seam import Peer
from quintet.smtp import replies
from quintet.smtp.client import SmtpTransport
from quintet.store import queue_rules
from tests.support.dnszone import dns_server
from tests.support.nexthost import next_host


def verifier(out, port: int = 1, **options) -> VerifyRecipient:
    clock = out.house.clock
    routes = {"primary": Route(via="smtp", host="127.0.0.1", port=port, tls="never")}
    config = Queue(routes=routes, connect_timeout_s=2.0)
    router = Router(config, out.house.inbound.directory, Resolver(), names=(), clock=clock)
    transport = SmtpTransport("mx.test", clock=clock)
    return VerifyRecipient(Relay(**options), ["Relay.test"], router, transport, clock=clock)


async def known(one: VerifyRecipient, text: str) -> bool:
    local, _, domain = text.partition("@")
    try:
        asked = one.probe(Envelope(Peer("1", "192.0.2.1")), Recipient(Mailbox(local, domain)))
        if asked is not None:
            await asked
    except Refused as problem:
        return problem.reason is not Reason.NO_SUCH_ADDRESS
    return True


@pytest.mark.parametrize(
    ("route", "refused"),
    [
        (Route(domains=["closed.test"], via="error", text="moved away", status="5.1.6"), True),
        (Route(domains=["closed.test"], via="error", status="4.3.2"), False),  # waits, as it says
        (Route(domains=["closed.test"], via="error", max_size=1000), False),  # who knows how large it gets
        (Route(domains=["closed.test"], via="error", senders=["bob@example.org"]), False),
        (Route(domains=["closed.test"], via="error", accounts=["alice@example.org"]), True),
        (Route(domains=["closed.test"], via="error", listeners=["lan"]), False),
        (Route(domains=["closed.test"], via="discard"), False),
    ],
)
async def test_what_a_route_refuses_is_refused_at_once(out, route, refused):
    """RFC 5321 3.6.2: a reply instead of a report."""
    house = out.house
    config = Queue(routes={"closed": route, "rest": Route(via="error")} if refused else {"closed": route})
    router = Router(config, house.inbound.directory, Resolver(), names=(), clock=house.clock)
    one = VerifyRecipient(Relay(), [], router, SmtpTransport("mx.test", clock=house.clock), clock=house.clock)
    envelope = Envelope(Peer("1", "192.0.2.1"), sender=Mailbox("alice", "example.org"))
    envelope.identity = Identity(await house.account_id("alice"), "alice@example.org", "PLAIN", "smtp")
    if refused:
        with pytest.raises(Refused) as caught:
            one.probe(envelope, Recipient(Mailbox("zoe", "closed.test")))
        assert replies.problem(caught.value) == (
            b"550 5.1.6 moved away\r\n" if route.text else b"550 5.7.1 mail for this domain is refused\r\n"
        )
    else:
        assert one.probe(envelope, Recipient(Mailbox("zoe", "closed.test"))) is None


async def test_a_suppressed_address_is_refused_at_once(out):
    """Section 3.6.2 again: what is known is said by a reply."""
    house, one = out.house, verifier(out)
    quiet = VerifyRecipient(Relay(), [], one._router, one._asking, clock=house.clock, store=house.store)
    envelope, zoe = Envelope(Peer("1", "192.0.2.1")), Recipient(Mailbox("Zoe", "elsewhere.test"))
    assert quiet.probe(envelope, zoe) is None
    await house.store.write(queue_rules.suppress, "zoe@elsewhere.test", "5.1.1 gone")
    with pytest.raises(Refused) as caught:
        quiet.probe(envelope, zoe)
    assert replies.problem(caught.value) == (
        b"550 5.7.1 nothing is sent to this address any more: 5.1.1 gone\r\n"
    )
    await house.store.write(queue_rules.allow, "zoe@elsewhere.test")
    assert quiet.probe(envelope, zoe) is None


async def test_list_of_the_configuration(out):
    one = verifier(out, recipients=["bob@relay.test", "info-*@relay.test"])
    assert await known(one, "Bob@RELAY.test")
    assert await known(one, "info-x@relay.test")
    assert await known(one, "postmaster@relay.test")
    assert await known(one, "anybody@elsewhere.test")  # not ours to judge
    assert not await known(one, "joe@relay.test")
    assert await known(verifier(out), "joe@relay.test")  # no list: any may exist


async def test_list_in_a_file_is_read_again_when_it_changes(out, tmp_path):
    path = tmp_path / "recipients"
    one = verifier(out, recipients_file=str(path))
    with pytest.raises(TryLater):
        await known(one, "bob@relay.test")
    path.write_text("# people\nbob@relay.test  # the boss\n\n")
    out.house.clock.advance(11)
    assert await known(one, "bob@relay.test")
    assert not await known(one, "joe@relay.test")
    path.write_text("bob@relay.test\njoe@relay.test\n")
    out.house.clock.advance(11)
    assert await known(one, "joe@relay.test")
    path.unlink()
    out.house.clock.advance(11)
    assert await known(one, "joe@relay.test")  # the list we had stands


async def test_the_primary_is_asked_once_and_its_answers_are_kept_for_a_while(out):
    async with next_host(replies={"RCPT TO:<JOE@": "550 5.1.1 no joe here"}) as host:
        one = verifier(out, host.port, verify=True)
        assert await known(one, "bob@relay.test")
        assert not await known(one, "joe@relay.test")
        asked = host.connections
        assert await known(one, "bob@relay.test")
        assert not await known(one, "joe@relay.test")
        assert host.connections == asked
        out.house.clock.advance(1801)
        assert not await known(one, "joe@relay.test")
        assert await known(one, "bob@relay.test")
        assert host.connections == asked + 1
        assert "MAIL FROM:<>" in host.heard
        assert not host.messages


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("550 5.1.1 no joe here", b"550 5.1.1 no joe here\r\n"),
        ("550 5.7.1 5 people a day", b"550 5.1.1 5 people a day\r\n"),
        ("553 sorry, no joe", b"550 5.1.1 sorry, no joe\r\n"),
        ("550-5.1.1 no joe\r\n550 5.1.1 here", b"550 5.1.1 no joe here\r\n"),
        ("550 5.1.1", b"550 5.1.1 No such user here\r\n"),
        ("550", b"550 5.1.1 No such user here\r\n"),
    ],
)
async def test_the_words_of_the_primary_are_told_with_one_code(out, said, told):
    """RFC 2034 4: the code stands behind the reply's, once."""
    async with next_host(replies={"RCPT TO:<JOE@": said}) as host:
        one = verifier(out, host.port, verify=True)
        asked = one.probe(Envelope(Peer("1", "192.0.2.1")), Recipient(Mailbox("joe", "relay.test")))
        assert asked is not None
        with pytest.raises(Refused) as caught:
            await asked
    assert replies.problem(caught.value) == told


@pytest.mark.parametrize(
    "replies",
    [{"RCPT": "450 4.2.0 later"}, {"MAIL": "550 5.7.1 no null senders"}, {"MAIL": ""}, {"EHLO": ""}],
)
async def test_what_cannot_be_known_now_is_taken(out, replies):
    async with next_host(replies=replies) as host:
        assert await known(verifier(out, host.port, verify=True), "joe@relay.test")
    assert await known(verifier(out, host.port, verify=True), "joe@relay.test")  # nobody listens


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("zoe@there.test", None),
        ("zoe@bare.test", None),  # the implicit MX
        ("zoe@nowhere.test", Reason.NO_SUCH_DOMAIN),
        ("zoe@null.test", Reason.NO_MAIL),  # RFC 7505 3
        ("zoe@two.null.test", None),  # a null MX stands alone
        ("zoe@routed.test", None),  # it goes another way
        ("zoe@[192.0.2.1]", None),
        ("zoe@relay.test", None),  # a backup MX has its own rules
        ("alice@example.org", None),  # ours
    ],
)
async def test_domains_elsewhere_are_checked_where_that_is_wished(out, address, reason):
    zone = """
    there.test. MX 10 mx.there.test.
    bare.test. A 192.0.2.1
    null.test. MX 0 .
    two.null.test. MX 0 .
    two.null.test. MX 10 mx.there.test.
    """
    zone = "\n".join(line.strip() for line in zone.splitlines())
    house = out.house
    async with dns_server(zone) as server:
        routes = {"r": Route(domains=["routed.test"], via="smtp", host="127.0.0.1")}
        router = Router(
            Queue(routes=routes),
            house.inbound.directory,
            server.resolver(cache=0),
            names=(),
            clock=house.clock,
        )
        for config in (Relay(), Relay(check_domains=True)):
            one = VerifyRecipient(config, ["relay.test"], router, SmtpTransport("mx.test"), clock=house.clock)
            envelope = Envelope(Peer("1", "127.0.0.1"))
            local, _, domain = address.partition("@")
            found = house.inbound.directory.find(Mailbox(local, domain)) or Recipient(Mailbox(local, domain))
            asked = one.probe(envelope, found)
            if config.check_domains and reason is not None:
                with pytest.raises(Refused) as caught:
                    await asked
                assert caught.value.reason is reason
            elif asked is not None:
                await asked
        server.broken_kinds.add("MX")
        asked = one.probe(envelope, found)
        if asked is not None:
            await asked  # what cannot be known is taken
