"""What stands in a configuration and can never be meant: patterns that fit nothing, names of nobody.

Each gives a sentence, or "" where all is well.  Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

from quintet.config.queue import Queue
from quintet.config.route import Route

HOLES = ("sender", "recipient", "user", "detail", "domain")  # of the command of a pipe

# what EHLO may say: `smtp.offers` has a row for each
ANNOUNCED = frozenset((
    "8BITMIME", "ATRN", "AUTH", "BINARYMIME", "BURL", "CHUNKING",
    "DELIVERBY", "DSN", "ENHANCEDSTATUSCODES", "ETRN", "EXPN", "FUTURERELEASE",
    "HELP", "LIMITS", "MT-PRIORITY", "NO-SOLICITING", "PIPECONNECT", "PIPELINING",
    "PRDR", "REQUIRETLS", "SIZE", "SMTPUTF8", "STARTTLS", "VRFY",
    "XCLIENT", "XFORWARD", "XVERP",
))  # fmt: skip

_HOLE = re.compile(r"\{([a-z_]+)\}")


def domain(text: str, others: str = "") -> str:
    """A domain, ``.domain`` for all below it, or ``*``; ``others`` is where addresses belong."""
    if "@" in text:
        local, _, name = text.rpartition("@")
        if not local:
            return f"expected a domain such as {name or 'example.org'}, got {text!r}"
        where = f"; {others} takes addresses" if others else ""
        return f"expected a domain, got {text!r}{where}"
    if text.startswith("*."):
        return f"expected {text[1:]!r} for every name below {text[2:]}, got {text!r}"
    if text != "*" and ("*" in text or "?" in text):
        return f"expected a domain, or .DOMAIN for every name below it, got {text!r}"
    if text.strip(". ") == "" or " " in text:
        return f"expected a domain, got {text!r}" if text != "*" else ""
    return ""


def relayed(text: str) -> str:
    """A domain alone."""
    if text.startswith((".", "*")):
        return f"expected a domain, got {text!r}; those below it are named one by one"
    return domain(text, "relay.recipients")


def address(text: str) -> str:
    """A pattern of `matching.addresses`; a domain without its "@" would be a local part."""
    if "@" in text or "*" in text or "?" in text or "." not in text:
        return ""
    name = text.removeprefix(".")
    wanted = f"'*@*.{name}'" if text.startswith(".") else f"'@{name}'"
    return f"expected {wanted} for everybody there, got {text!r}"


def listener(text: str, there: Collection[str]) -> str:
    """The name of a listener."""
    return "" if text in there else _nobody("listener", text, there)


def announced(text: str) -> str:
    """A word of EHLO."""
    return "" if text.upper() in ANNOUNCED else _nobody("word of EHLO", text.upper(), ANNOUNCED)


def _nobody(what: str, text: str, there: Collection[str]) -> str:
    close = difflib.get_close_matches(text, there, 1, 0.6)
    if close:
        return f"there is no {what} {text!r}; did you mean {close[0]!r}?"
    return f"there is no {what} {text!r}; there are {', '.join(sorted(there)) or 'none'}"


def route(one: Route, listeners: Collection[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with a route: option and sentence."""
    yield from (("domains", said) for text in one.domains if (said := domain(text, "recipients")))
    for option, texts in (("recipients", one.recipients), ("senders", one.senders)):
        yield from ((option, said) for text in texts if (said := address(text)))
    yield from (("listeners", said) for text in one.listeners if (said := listener(text, listeners)))
    for word in one.command:
        for name in _HOLE.findall(word):
            close = [] if name in HOLES else difflib.get_close_matches(name, HOLES, 1, 0.75)
            if close:
                yield "command", f"expected {{{close[0]}}}, got {{{name}}}"


def queue(config: Queue) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with the names of limits and TLS rules: where, and a sentence."""
    if not config.retry_s:
        yield ("retry_s",), "expected at least one wait"
    for pattern in config.limits:
        kind, colon, name = pattern.lower().partition(":")
        if colon and kind == "route":
            if name not in [each.lower() for each in config.routes]:
                yield ("limits", pattern), _nobody("route", pattern[6:], list(config.routes))
        elif said := domain(name if colon and kind == "mx" else pattern):
            yield ("limits", pattern), said
    yield from ((("tls", name), said) for name in config.tls if (said := domain(name)))


def never(routes: Mapping[str, Route]) -> Iterator[tuple[str, str]]:
    """Routes that no mail comes to, since one before takes all of it: the later one and that one.

    No mistake: tables of other routes and `queue retry --via` name them.
    """
    earlier: dict[str, Route] = {}
    for name, one in routes.items():
        for other, before in earlier.items():
            if _takes_all(before, one):
                yield name, other
                break
        earlier[name] = one


def _takes_all(before: Route, one: Route) -> bool:
    """Whatever fits ``one`` fits ``before``, and nothing goes on from there."""
    if before.table:
        return False  # who is not in it takes the next
    lists = (
        (before.recipients, one.recipients),
        (before.senders, one.senders),
        (before.accounts, one.accounts),
        (before.listeners, one.listeners),
    )
    sizes = (before.min_size, before.max_size)
    return (
        all(not wanted or (found and set(found) <= set(wanted)) for wanted, found in lists)
        and before.arrived in ("any", one.arrived)
        and sizes in ((0, 0), (one.min_size, one.max_size))
        and all(_below(text, before.domains) for text in one.domains or ["*"])
    )


def _below(text: str, domains: Collection[str]) -> bool:
    """A domain of a route is among others."""
    if not domains or "*" in domains:
        return True
    text = text.lower()
    others = [each.lower() for each in domains]
    return text in others or any(each.startswith(".") and text.endswith(each) for each in others)
