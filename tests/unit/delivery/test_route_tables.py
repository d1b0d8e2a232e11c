"""Routes with a table: transport(5), sender_dependent_relayhost_maps, smtp_sasl_password_maps."""

from pathlib import Path

import pytest

from quintet.clock import FrozenClock
from quintet.config.queue import Queue
from quintet.config.route import Route
from quintet.delivery import routetables
from quintet.delivery.envelope import NULL, Mailbox, mailbox
from quintet.delivery.route import Destination, Router
from quintet.net.dns import Resolver

TRANSPORT = """
# sources of Postfix are taken as they are
boss@a.test     smtp:[fast.test]:2525
a.test          smtp:[relay.test]
.a.test         smtp:mx.test
exact.test      smtp:
like.test       :
box.test        lmtp:unix:/run/lmtp
other.test      lmtp:inet:[2001:db8::1]:24
two.test        relay:[one.test]:submission, [192.0.2.1]
gone.test       error:5.1.2 no longer here
plain.test      error:not here
late.test       retry:4.2.1 come again
null.test       discard:
named.test      slow:
moved.test      slow:[elsewhere.test]:26
nowhere.test    missing:
/^list-(\\w+)@/ smtp:[$1.lists.test]
/^bad-(.*)@/    smtp:[$1]:99999999
"""


class Nobody:
    """A directory without a domain."""

    def is_local(self, domain: str) -> bool:
        return False


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def router(clock: FrozenClock, **routes: Route) -> Router:
    return Router(Queue(routes=routes), Nobody(), Resolver(), names=("mx.example.org",), clock=clock)  # type: ignore[arg-type]


def going(made: Router, to: str, sender: Mailbox = NULL) -> Destination:
    box = mailbox(to)
    return made.destination(box.domain, sender, recipient=box)


@pytest.fixture
def tables(tmp_path: Path, clock: FrozenClock) -> Router:
    (tmp_path / "transport").write_text(TRANSPORT)
    return router(
        clock,
        tables=Route(table=str(tmp_path / "transport"), tls="must"),
        slow=Route(domains=["slow.test"], via="smtp", host="slow.test", tls="verify"),
        rest=Route(via="smtp", host="rest.test"),
    )


@pytest.mark.parametrize(
    ("address", "key", "via", "host"),
    [
        ("boss@a.test", "route:tables:fast.test:2525", "smtp", "fast.test:2525"),
        ("Boss+x@A.test", "route:tables:fast.test:2525", "smtp", "fast.test:2525"),
        ("u@a.test", "route:tables:relay.test", "smtp", "relay.test"),
        ("u@b.a.test", "route:tables:mx:mx.test", "smtp", "mx:mx.test"),
        ("u@exact.test", "route:tables:mx:exact.test", "mx", ""),
        ("u@like.test", "route:rest", "smtp", "rest.test"),
        ("u@box.test", "route:tables:unix:/run/lmtp", "lmtp", "unix:/run/lmtp"),
        ("u@other.test", "route:tables:[2001:db8::1]:24", "lmtp", "[2001:db8::1]:24"),
        ("u@two.test", "route:tables:one.test:587,192.0.2.1", "smtp", "one.test:587"),
        ("u@null.test", "route:tables:discard", "discard", ""),
        ("u@named.test", "route:slow", "smtp", "slow.test"),
        ("u@moved.test", "route:slow:elsewhere.test:26", "smtp", "elsewhere.test:26"),
        ("list-cats@any.test", "route:tables:cats.lists.test", "smtp", "cats.lists.test"),
        ("u@unknown.test", "route:rest", "smtp", "rest.test"),
    ],
)
def test_where_a_table_leads(tables, address, key, via, host):
    found = going(tables, address)
    assert (found.key, found.via, found.route.host) == (key, via, host)
    if found.name == "tables":
        assert found.route.tls == "must"  # what else the route says holds


@pytest.mark.parametrize(
    ("address", "status", "text"),
    [
        ("u@gone.test", "5.1.2", "no longer here"),
        ("u@plain.test", "5.7.1", "not here"),
        ("u@late.test", "4.2.1", "come again"),
        ("u@nowhere.test", "4.3.5", "there is no route 'missing'"),
        ("bad-x@any.test", "4.3.5", "expected a port"),
    ],
)
def test_what_is_refused_or_waits(tables, address, status, text):
    found = going(tables, address)
    assert (found.via, found.route.status) == ("error", status)
    assert text in found.route.text
    refused = tables.refusing(NULL, mailbox(address), account="", listener="", secure=True)
    assert (refused is not None) is status.startswith("5")


def test_the_star_is_for_who_is_nowhere_else(tmp_path, clock):
    (tmp_path / "t").write_text("* smtp:[rest.test]\na.test discard:\n/^x/ smtp:[x.test]")
    made = router(clock, t=Route(table=str(tmp_path / "t")))
    assert [going(made, each).route.host for each in ("u@b.test", "x@b.test")] == ["rest.test", "x.test"]
    assert going(made, "x@a.test").via == "discard"


def test_a_table_that_cannot_be_read_keeps_mail_and_is_read_again(tmp_path, clock):
    made = router(clock, t=Route(table=str(tmp_path / "t")), rest=Route(via="discard"))
    assert going(made, "u@a.test").route.status == "4.3.5"
    (tmp_path / "t").write_text("a.test smtp:[one.test]")
    clock.advance(3)
    assert going(made, "u@a.test").route.host == "one.test"
    (tmp_path / "t").write_text("a.test nonsense that is longer")
    clock.advance(3)
    assert going(made, "u@a.test").route.host == "one.test"


def test_relayhosts_by_sender_each_with_its_password(tmp_path, clock):
    (tmp_path / "relays").write_text(
        "zoe@b.test [one.test]:587\n@b.test two.test\n<> DUNNO\n/@c(.)/ [h$1.test]"
    )
    (tmp_path / "sasl").write_text("zoe@b.test zoe:a:b\n[one.test]:587 host:x\ntwo.test b:y\n")
    sasl = str(tmp_path / "sasl")
    made = router(
        clock,
        senders=Route(table=str(tmp_path / "relays"), table_of="sender", passwords=sasl),
        rest=Route(via="smtp", host="[one.test]:587", passwords=sasl),
    )

    def by(sender):
        found = going(made, "u@a.test", mailbox(sender) if sender else NULL)
        return found.key, found.route.host, found.route.user, found.route.password

    assert by("zoe@b.test") == ("route:senders:one.test:587:zoe", "one.test:587", "zoe", "a:b")
    assert by("joe@b.test") == ("route:senders:mx:two.test:b", "mx:two.test", "b", "y")
    assert by("joe@c7.test") == ("route:senders:h7.test", "h7.test", "", "")
    assert by("") == ("route:rest:host", "[one.test]:587", "host", "x")


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (routetables.transports, "a.test [b.test]", "line 1: a.test: expected TRANSPORT:NEXTHOP"),
        (routetables.transports, "a.test smtp:[b.test", "line 1: a.test: expected"),
        (routetables.transports, "a.test local:", "mail for people here never leaves"),
        (routetables.transports, "a.test lmtp:", "expected a host"),
        (routetables.transports, "a.test smtp:[b]:0", "expected a port from 1 to 65535"),
        (routetables.transports, "a.test", "expected a key and a value"),
        (routetables.transports, "b.test smtp:\n/(/ smtp:", "line 2: "),
        (routetables.transports, "/x/ nonsense", "line 1: expected TRANSPORT:NEXTHOP"),
        (routetables.relayhosts, "a@b.test smtp:[c]:x", "expected"),
        (routetables.passwords, "host nothing", "line 1: host: expected user:password"),
    ],
)
def test_mistakes_are_told_with_their_line(read, text, why):
    with pytest.raises(ValueError, match=why):
        read(text)


def test_routes_that_are_not_there_are_told():
    table = routetables.transports(TRANSPORT)
    assert routetables.mistakes(table, ["slow"]) == ["there is no route 'missing'"]


def test_an_expression_that_takes_too_long_keeps_mail_waiting(tmp_path, clock):
    """It is no reason for a report."""
    (tmp_path / "transport").write_text("/(a+)+$/ smtp:[a.test]\n")
    made = router(clock, first=Route(table=str(tmp_path / "transport")))
    found = going(made, "a" * 40 + "@b.test")
    assert (found.via, found.route.status) == ("error", "4.3.5")
    assert found.route.text == "An expression of a table takes too long"
    assert going(made, "b@c.test").via == "mx"
