"""SPF: whether a domain lets an address send mail in its name (RFC 7208).

`check` reads the domain's record and walks through it; the name service is asked through a resolver that is
given.  The explanation that a record may name (exp=) is checked and never fetched: nobody is shown it here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from quintet.errors import TryLater
from quintet.values import dataclass

MAX_LOOKUPS = 10  # terms that ask the name service, RFC 7208 4.6.4
MAX_VOID = 2  # questions without an answer, the same
MAX_HOSTS = 10  # of one mx or ptr, the same
MAX_RECORD = 4096  # characters; RFC 7208 3.4 asks for 450 octets, and nobody needs many times that
MAX_NAME = 253  # octets, RFC 7208 7.3

_TEXT = r"%\{{[{}][0-9]*[rR]?[-.+,/_=]*\}}|%%|%_|%-"
_NAMES = _TEXT.format("slodiphvSLODIPHV")  # RFC 7208 7.1
_LITERAL = r"[!-$&-~]"
_DOMAIN_SPEC = re.compile(rf"(?:{_NAMES}|{_LITERAL})*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_MACRO_STRING = re.compile(rf"(?:{_TEXT.format('slodiphvcrtSLODIPHVCRT')}|{_LITERAL})*")
_MACRO = re.compile(r"%(?:\{([A-Za-z])([0-9]*)([rR]?)([-.+,/_=]*)\}|([%_-]))")
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)")
_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z0-9]+)(?::(.*?))?((?:/[0-9]+)?(?://[0-9]+)?)")
_LENGTHS = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?")
_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class Resolver(Protocol):
    """What is asked of `net.dns.Resolver`; all raise TryLater."""

    async def query(self, name: str, kind: str) -> Any: ...  # Any: `net.dns.Answer`

    async def ptr(self, address: str) -> list[str]: ...


class _Permanent(Exception):
    """The record cannot be understood, or asks for too much (RFC 7208 2.6.7)."""


@dataclass(frozen=True, slots=True)
class Result:
    """RFC 7208 2.6."""

    result: str  # "pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"
    why: str = ""  # for people: the term that matched, or what is wrong


@dataclass(frozen=True, slots=True)
class _Term:
    """One mechanism."""

    result: str
    name: str
    value: str
    four: int = 32
    six: int = 128


@dataclass(frozen=True, slots=True)
class _Record:
    terms: tuple[_Term, ...]
    redirect: str = ""


async def check(resolver: Resolver, address: str, domain: str, sender: str, helo: str) -> Result:
    """RFC 7208 4: whether ``address`` may send for ``domain``; ``sender`` is the whole one, as a@b.

    Never raises what the name service says; the name of the host (%{p}) is asked for only where it is used.
    """
    ip: Ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    asked = _Asked(resolver, ip, sender, helo)
    try:
        return await asked.host(domain)
    except TryLater as problem:
        return Result("temperror", problem.text)
    except _Permanent as problem:
        return Result("permerror", str(problem))


@dataclass(slots=True)
class _Asked:
    """One call of check_host with all that it includes."""

    resolver: Resolver
    ip: Ip
    sender: str
    helo: str
    lookups: int = 0
    void: int = 0
    names: list[str] | None = None  # validated names of the client

    async def host(self, domain: str) -> Result:
        """Raises TryLater, _Permanent."""
        if not _is_domain(domain):
            return Result("none", "no domain")  # RFC 7208 4.3
        texts = [
            b"".join(each.strings).decode("latin-1")
            for each in (await self.resolver.query(domain, "TXT")).records
        ]
        records = [text for text in texts if re.match(r"v=spf1(?: |$)", text, re.IGNORECASE)]
        if not records:
            return Result("none")
        if len(records) > 1:
            raise _Permanent("several records")
        record = parse(records[0])
        for term in record.terms:
            if await _MATCHES[term.name](self, term, domain):
                return Result(term.result, term.name + (f":{term.value}" if term.value else ""))
        if not record.redirect:
            return Result("neutral")
        self._count()
        found = await self.host(await self.expand(record.redirect, domain))
        if found.result == "none":
            raise _Permanent("redirect leads to no record")
        return found

    # --- mechanisms ---------------------------------------------------------------------------

    async def all(self, term: _Term, domain: str) -> bool:
        return True

    async def include(self, term: _Term, domain: str) -> bool:
        self._count()
        found = await self.host(await self.expand(term.value, domain))
        if found.result == "none":
            raise _Permanent("include leads to no record")
        return found.result == "pass"

    async def a(self, term: _Term, domain: str) -> bool:
        self._count()
        return self._within(term, await self._addresses(await self._target(term, domain)))

    async def mx(self, term: _Term, domain: str) -> bool:
        self._count()
        answer = await self._ask(await self._target(term, domain), "MX")
        if len(answer) > MAX_HOSTS:
            raise _Permanent("too many mail exchangers")
        for each in answer:
            name = each.exchange.to_text(omit_final_dot=True)
            if name and self._within(term, await self._addresses(name)):
                return True
        return False

    async def ptr(self, term: _Term, domain: str) -> bool:
        self._count()
        target = (await self._target(term, domain)).lower().rstrip(".")
        return any(_is_below(name, target) for name in await self._validated())

    async def ip4(self, term: _Term, domain: str) -> bool:
        return self.ip.version == 4 and self._within(term, [term.value])

    async def ip6(self, term: _Term, domain: str) -> bool:
        return self.ip.version == 6 and self._within(term, [term.value])

    async def exists(self, term: _Term, domain: str) -> bool:
        self._count()
        return bool(await self._ask(await self.expand(term.value, domain), "A"))  # also of an IPv6 client

    def _within(self, term: _Term, addresses: Sequence[str]) -> bool:
        length = term.four if self.ip.version == 4 else term.six
        return any(self.ip in ipaddress.ip_network(f"{each}/{length}", strict=False) for each in addresses)

    # --- the name service ---------------------------------------------------------------------

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > MAX_LOOKUPS:
            raise _Permanent("too many lookups")

    async def _ask(self, name: str, kind: str) -> Sequence[Any]:  # Any: records of dnspython
        if not _is_name(name):
            return ()
        answer = await self.resolver.query(name, kind)
        if not answer.records:
            self.void += 1
            if self.void > MAX_VOID:
                raise _Permanent("too many lookups without an answer")
        records: Sequence[Any] = answer.records
        return records

    async def _addresses(self, name: str) -> list[str]:
        return [each.address for each in await self._ask(name, "A" if self.ip.version == 4 else "AAAA")]

    async def _validated(self) -> list[str]:
        """RFC 7208 5.5: names of the client that lead back to it; trouble means that there are none."""
        if self.names is None:
            self.names = []
            try:
                for name in (await self.resolver.ptr(str(self.ip)))[:MAX_HOSTS]:
                    kind = "A" if self.ip.version == 4 else "AAAA"
                    answer = await self.resolver.query(name, kind) if _is_name(name) else None
                    if answer is not None and any(
                        ipaddress.ip_address(each.address) == self.ip for each in answer.records
                    ):
                        self.names.append(name.lower().rstrip("."))
            except TryLater:
                pass
        return self.names

    # --- macros -------------------------------------------------------------------------------

    async def _target(self, term: _Term, domain: str) -> str:
        return await self.expand(term.value, domain) if term.value else domain

    async def expand(self, text: str, domain: str) -> str:
        """RFC 7208 7; a name that comes out too long loses labels on the left (7.3)."""
        if "%" not in text:
            return text
        made, at = [], 0
        for found in _MACRO.finditer(text):
            made += [text[at : found.start()], await self._macro(found, domain)]
            at = found.end()
        name = "".join([*made, text[at:]])
        while len(name) > MAX_NAME and "." in name:
            name = name.partition(".")[2]
        return name

    async def _macro(self, found: re.Match[str], domain: str) -> str:
        letter, digits, reverse, delimiters, plain = found.groups()
        if plain is not None:
            return {"%": "%", "_": " ", "-": "%20"}[plain]
        value = await self._letter(letter.lower(), domain)
        if digits or reverse or delimiters:
            parts = re.split(f"[{re.escape(delimiters or '.')}]", value)
            parts = parts[::-1] if reverse else parts
            value = ".".join(parts[-int(digits) :] if digits else parts)
        if letter.isupper():
            return "".join(
                char if char in _SAFE else "".join(f"%{o:02X}" for o in char.encode()) for char in value
            )
        return value

    async def _letter(self, letter: str, domain: str) -> str:
        local, _, home = self.sender.rpartition("@")
        if letter == "p":
            names = await self._validated()
            near = [name for name in names if _is_below(name, domain.lower())]
            return next((name for name in near if name == domain.lower()), (near or names or ["unknown"])[0])
        if letter == "i":
            return str(self.ip) if self.ip.version == 4 else ".".join(self.ip.exploded.replace(":", ""))
        known = {
            "s": self.sender,
            "l": local,
            "o": home,
            "d": domain,
            "h": self.helo,
            "v": "in-addr" if self.ip.version == 4 else "ip6",
        }
        return known[letter]


_Match = Callable[[_Asked, _Term, str], Awaitable[bool]]
_MATCHES: dict[str, _Match] = {
    "all": _Asked.all,  # RFC 7208 5.1
    "include": _Asked.include,  # 5.2
    "a": _Asked.a,  # 5.3
    "mx": _Asked.mx,  # 5.4
    "ptr": _Asked.ptr,  # 5.5
    "ip4": _Asked.ip4,  # 5.6
    "ip6": _Asked.ip6,  # 5.6
    "exists": _Asked.exists,  # 5.7
}


# --- the record -----------------------------------------------------------------------------------


def parse(text: str) -> _Record:
    """RFC 7208 4.6, 12: the whole record is read before anything of it counts.  Raises _Permanent."""
    if len(text) > MAX_RECORD:
        raise _Permanent("the record is too long")
    terms: list[_Term] = []
    modifiers: dict[str, str] = {}
    for word in text.split(" ")[1:]:
        if not word:
            continue
        modifier = _MODIFIER.fullmatch(word)
        if modifier is None:
            terms.append(_mechanism(word))
            continue
        name, value = modifier[1].lower(), modifier[2]
        domain = name in ("redirect", "exp")
        if not (_is_spec(value) if domain else _MACRO_STRING.fullmatch(value) and _numbers_count(value)):
            raise _Permanent(f"{name}= has a wrong value")
        if name in ("redirect", "exp"):
            if name in modifiers:
                raise _Permanent(f"{name}= twice")
            modifiers[name] = value
    return _Record(tuple(terms), modifiers.get("redirect", ""))


def _mechanism(word: str) -> _Term:
    found = _MECHANISM.fullmatch(word)
    if found is None or found[2].lower() not in _MATCHES:
        raise _Permanent(f"unknown term {word[:60]!r}")
    result, name, value, rest = _RESULTS[found[1] or "+"], found[2].lower(), found[3], found[4]
    if name in ("ip4", "ip6"):
        return _network(result, name, value or "", rest)
    if name in ("include", "exists") and value is None:
        raise _Permanent(f"{name} needs a domain")
    if value is not None and (name == "all" or not _is_spec(value)):
        raise _Permanent(f"{name} has a wrong domain")
    lengths = _LENGTHS.fullmatch(rest)
    if rest and (lengths is None or name not in ("a", "mx")):
        raise _Permanent(f"{name} has a wrong prefix length")
    four, six = (int(lengths[1] or 32), int(lengths[2] or 128)) if lengths is not None else (32, 128)
    if four > 32 or six > 128:
        raise _Permanent(f"{name} has a wrong prefix length")
    return _Term(result, name, value or "", four, six)


def _network(result: str, name: str, value: str, rest: str) -> _Term:
    longest = 32 if name == "ip4" else 128
    length = re.fullmatch(r"/(0|[1-9][0-9]{0,2})", rest)
    if rest and (length is None or int(length[1]) > longest):
        raise _Permanent(f"{name} has a wrong prefix length")
    try:
        address = ipaddress.IPv4Address(value) if name == "ip4" else ipaddress.IPv6Address(value)
    except ValueError:
        raise _Permanent(f"{name} has a wrong address") from None
    bits = int(length[1]) if length is not None else longest
    return _Term(result, name, str(address), bits, bits)


def _is_spec(text: str) -> bool:
    """A domain-spec (RFC 7208 7.1): what it ends with is a macro, or a label that can be at the top."""
    if not _DOMAIN_SPEC.fullmatch(text) or not _numbers_count(text):
        return False
    ends = [found.end() for found in _MACRO.finditer(text)]
    if ends and ends[-1] == len(text):
        return True
    _, dot, label = text.removesuffix(".").rpartition(".")
    return bool(dot) and _LABEL.fullmatch(label) is not None and not label.isdigit()


def _numbers_count(text: str) -> bool:
    """RFC 7208 7.1: no macro keeps nought labels."""
    return not any(found[2] and not int(found[2]) for found in _MACRO.finditer(text))


def _is_domain(domain: str) -> bool:
    """RFC 7208 4.3: a fully qualified name."""
    return _is_name(domain) and "." in domain.rstrip(".")


def _is_name(name: str) -> bool:
    labels = name.removesuffix(".").split(".")
    return len(name) <= MAX_NAME + 1 and all(0 < len(label) <= 63 for label in labels) and name.isascii()


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)
