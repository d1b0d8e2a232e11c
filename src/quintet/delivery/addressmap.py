"""Which address becomes which other one: tables as Postfix's canonical(5) and generic(5) have them.

A key is ``user@domain``, ``user`` (of our own domains), ``@domain``, ``@.domain`` (every domain below it), or
an expression between slashes, which is looked for in the whole address.  They are tried in that order, an
address with a detail first with it and then without, and it keeps its detail then.  A value ``@domain`` keeps
the local part.  Keys are compared without case; what was found is not looked up again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from quintet.config import rewrite
from quintet.delivery.envelope import Mailbox, mailbox
from quintet.delivery.ways import ascii_domain
from quintet.policy import patterns, timed
from quintet.store import accounts

Ours = Callable[[str], bool]
"""Whether a domain is one of ours."""

_LINE = re.compile(r"(/(?:[^/\\]|\\.)+/\w*|\S+)\s+(\S.*)")
_REFERENCE = re.compile(r"\$(?:(\d)|\{(\d)\}|\((\d)\))")


@dataclass(slots=True)
class Table:
    """One table, as it was read."""

    plain: dict[str, str] = field(default_factory=dict)
    patterns: list[tuple[re.Pattern[str], str]] = field(default_factory=list)

    def find(self, box: Mailbox, ours: Ours) -> Mailbox | None:
        """What an address becomes; None where no key fits it.  Raises TryLater(BUSY), as `timed.within`."""
        local, domain = accounts.normal_local(box.local), ascii_domain(box.domain)
        for key, detail in _keys(local, domain, ours):
            value = self.plain.get(key)
            if value is not None:
                return _become(value, box, detail)
        if self.patterns:
            limit_s = timed.LIMIT_S + patterns.LINE_S * len(self.patterns)
            known = timed.within(self._matched, f"{box.local}@{box.domain}", limit_s)
            return None if known is None else _expanded(*known, box)
        return None

    def _matched(self, address: str) -> tuple[str, re.Match[str]] | None:
        at = ""
        try:
            for pattern, value in self.patterns:
                at = pattern.pattern
                if (found := pattern.search(address)) is not None:
                    return value, found
        except timed.Late as late:
            late.at = at
            raise
        return None


def of(entries: Mapping[str, str]) -> Table:
    """Raises ValueError: what is wrong with an entry."""
    return _table(entries.items())


def read(text: str) -> Table:
    """The source of one of Postfix's tables, hash, texthash, regexp or pcre.  Raises ValueError as `of`."""
    return _table(_entries(text))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and lines:
            lines[-1] += line
        else:
            lines.append(line)
    for line in lines:
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"expected a key and a value, got {line.strip()[:80]!r}")
        yield found[1], found[2].strip()


def _table(entries: Iterable[tuple[str, str]]) -> Table:
    table = Table()
    for key, value in entries:
        if problem := rewrite.fault(key, value):
            raise ValueError(f"{key}: {problem}")
        if key.startswith("/"):
            table.patterns.append((rewrite.expression(key), value))
            continue
        local, at, domain = key.rpartition("@")
        name = f"{accounts.normal_local(local)}@{ascii_domain(domain)}" if at else accounts.normal_local(key)
        table.plain[name] = value
    return table


def _keys(local: str, domain: str, ours: Ours) -> Iterator[tuple[str, str]]:
    """What to look for, in order, and the detail that the found address gets."""
    names = [(local, "")]
    cut = local.find(accounts.SEPARATOR, 1)
    if cut > 0:
        names.append((local[:cut], local[cut:]))
    for name, detail in names:
        yield f"{name}@{domain}", detail
    if ours(domain):
        for name, detail in names:
            yield name, detail
    yield f"@{domain}", ""
    at = domain.find(".")
    while at >= 0:
        yield f"@{domain[at:]}", ""
        at = domain.find(".", at + 1)


def _become(value: str, box: Mailbox, detail: str) -> Mailbox:
    if value.startswith("@"):
        return Mailbox(box.local, value[1:].lower())
    made = mailbox(value)
    return Mailbox(made.local + detail, made.domain) if detail else made


def _expanded(value: str, found: re.Match[str], box: Mailbox) -> Mailbox | None:
    """With what the groups of an expression found; None where that is no address."""

    def group(reference: re.Match[str]) -> str:
        number = int(reference[1] or reference[2] or reference[3])
        return (found[number] or "") if number <= found.re.groups else ""

    made = _REFERENCE.sub(group, value)
    return _become(made, box, "") if rewrite.is_value(made) else None
