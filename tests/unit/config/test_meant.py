"""Patterns that fit nothing and names of nobody are told, not ignored."""

from types import SimpleNamespace
from typing import Any

import pytest

from quintet.config import load, meant, root
from quintet.config.route import Route
from quintet.config.smtp import Smtp
from quintet.smtp import offers
from quintet.smtp.desk import Role


def said(text: str) -> list[str]:
    try:
        root.from_text(f'[server]\nhostname = "mx.example.org"\n{text}')
    except load.ConfigError as error:
        return [str(fault).partition(": ")[2] for fault in error.faults]
    return []


ROUTE = '[queue.routes.a]\nvia = "discard"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (ROUTE + 'domains = ["*.a.test"]', "domains: expected '.a.test'"),
        (ROUTE + 'domains = ["@a.test"]', "domains: expected a domain such as a.test, got '@a.test'"),
        (ROUTE + 'domains = ["u@a.test"]', "domains: expected a domain, got 'u@a.test';"),
        (ROUTE + 'domains = ["mail?.a.test"]', "domains: expected a domain, or .DOMAIN"),
        (ROUTE + 'domains = [""]', "domains: expected a domain, got ''"),
        (ROUTE + 'domains = ["*", ".a.test", "a.test", "bücher.test"]', ""),
        (ROUTE + 'senders = ["a.test"]', "senders: expected '@a.test' for everybody there, got 'a.test'"),
        (ROUTE + 'recipients = [".a.test"]', "recipients: expected '*@*.a.test' for everybody there"),
        (ROUTE + 'senders = ["root", "<>", "@a.test", "*@*.a.test", "a@b.test"]', ""),
        (ROUTE + 'listeners = ["submision"]', "listeners: there is no listener 'submision'; did"),
        (ROUTE + 'listeners = ["submission"]', ""),
        (
            '[queue.routes.a]\nvia = "pipe"\ncommand = ["/bin/a", "{recpient}"]',
            "command: expected {recipient}, got {recpient}",
        ),
        ('[queue.routes.a]\nvia = "pipe"\ncommand = ["/bin/a", "{print} {user}"]', ""),
        (ROUTE + '[queue.limits."route:b"]', "queue.limits.route:b: there is no route 'b'; there are a"),
        (ROUTE + '[queue.limits."route:A"]\n[queue.limits."mx:.b.test"]\n[queue.limits."*"]', ""),
        ('[queue.limits."*.a.test"]', "queue.limits.*.a.test: expected '.a.test'"),
        ('[queue.tls."@a.test"]', "queue.tls.@a.test: expected a domain such as a.test"),
        ("[queue]\nretry_s = []", "queue.retry_s: expected at least one wait"),
        ("[queue]\nretry_s = [60, 0]", "queue.retry_s.1: expected at least 0.1 s, got 0"),
        ('[smtp]\nrelay_domains = [".a.test"]', "smtp.relay_domains.0: expected a domain, got '.a.test'"),
        ('[smtp]\nrelay_domains = ["*.a.test"]', "smtp.relay_domains.0: expected a domain, got '*.a.test'"),
        ('[policy.refuse]\nsenders = ["a.test"]', "policy.refuse.senders.0: expected '@a.test'"),
        (
            '[[milter]]\naddress = "inet:[::1]:1"\nonly = ["smtp", "x"]',
            "milter.0.only.1: there is no listener",
        ),
        ('[policy.content]\nonly = ["x"]', "policy.content.only.0: there is no listener 'x'"),
        ('[[policy.service]]\naddress = "x"', 'policy.service.0.address: expected "unix:/path"'),
        ('[[policy.service]]\naddress = "a:99999"', "policy.service.0.address: expected"),
        ("[[policy.access]]", "policy.access.0.file: expected a file"),
        ('[[copy]]\nto = "a@b.test"\nsender = "*@c.test"', "copy.0.sender: expected an address or a domain"),
        ('[[copy]]\nto = "a@b.test"\nrecipient = "@c.test"', ""),
        (
            '[smtp]\nwithhold = ["Chunking", "chunkin"]',
            "smtp.withhold.1: there is no word of EHLO 'CHUNKIN'; did you mean 'CHUNKING'?",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(text: str, fault: str) -> None:
    found = said(text)
    if not fault:
        assert found == []
    else:
        assert len(found) == 1
        assert fault in found[0]


def announced(role: Role, *, known: bool) -> set[str]:
    """What EHLO says where everything is offered."""
    desk: Any = SimpleNamespace(
        config=Smtp(verify="everybody"),
        role=role,
        starttls=not known,
        pipe_connect=True,
        hostname="mx.example.org",
        turns=SimpleNamespace(fetched=True),
        resolve_burl=object(),
        trusted=("192.0.2.1",),
        xclient_from=("192.0.2.1",),
        xforward_from=("192.0.2.1",),
        terms=SimpleNamespace(hold_max_s=1, last_hold=1, prdr=True, by_min_s=0),
        offers_auth=lambda peer: ("PLAIN",),
    )
    peer: Any = SimpleNamespace(address="192.0.2.1", secure=known, user="")
    asker = offers.Asker(desk, peer, None, "192.0.2.1")
    return {line.partition(" ")[0] for row in offers.ROWS if (line := row(asker))}


def test_every_word_of_ehlo_can_be_withheld_and_no_other() -> None:
    said = announced(Role.SUBMISSION, known=True) | announced(Role.MX, known=False)
    assert said == meant.ANNOUNCED


@pytest.mark.parametrize(
    ("before", "after", "never"),
    [
        (Route(), Route(domains=["a.test"]), True),
        (Route(domains=["*"]), Route(), True),
        (Route(domains=["b.test", "*"]), Route(senders=["<>"]), True),
        (Route(domains=[".A.test"]), Route(domains=["b.a.test", ".c.a.test", ".a.test"]), True),
        (Route(domains=[".a.test"]), Route(domains=["a.test"]), False),
        (Route(domains=["a.test"]), Route(domains=["a.test", "b.test"]), False),
        (Route(domains=["a.test"]), Route(), False),
        (Route(senders=["@a.test"]), Route(), False),
        (Route(senders=["@a.test", "@b.test"]), Route(senders=["@a.test"], max_size=9), True),
        (Route(listeners=["smtp"]), Route(listeners=["smtp", "lmtp"]), False),
        (Route(arrived="tls"), Route(), False),
        (Route(), Route(arrived="tls"), True),
        (Route(max_size=9), Route(), False),
        (Route(max_size=9), Route(max_size=9, accounts=["a"]), True),
        (Route(table="/etc/transport"), Route(), False),  # who is not in it takes the next
        (Route(), Route(table="/etc/transport"), True),
    ],
)
def test_routes_that_no_mail_comes_to(before: Route, after: Route, never: bool) -> None:
    found = list(meant.never({"a": before, "b": after, "c": Route(recipients=["x@y.test"], via="wait")}))
    assert (("b", "a") in found) is never
