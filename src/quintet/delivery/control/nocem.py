"""NoCeM notices: lists of articles that somebody whom we trust would hide (the NoCeM draft, version 0.9x).

A notice is an article with one clear-signed text, in which a head names issuer and type and a body lists
Message-IDs with the groups of each.  `parse` is pure; `Notices` checks the signature and takes the articles
away, those that are here and those that come yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.config.news import News, NocemRule
from quintet.delivery import inject
from quintet.delivery.control import signed
from quintet.delivery.control.signed import Verifier
from quintet.message import transfer
from quintet.store import cancels, history, trace
from quintet.store.db import Tx
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.delivery.control.work import Asked
    from quintet.store.store import Store

MAX_IDS = 20_000  # of one notice; usual ones have some hundred
SLICE = 200  # articles taken away in one transaction
_HEAD, _BODY, _END = "@@BEGIN NCM HEADERS", "@@BEGIN NCM BODY", "@@END NCM BODY"
_NEEDED = ("action", "issuer", "notice-id", "type", "version")

logger = log.get("control")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a signed text says."""

    issuer: str
    type: str
    id: str
    action: str
    version: str
    articles: tuple[tuple[str, tuple[str, ...]], ...]  # Message-ID, and the groups where it was seen

    @property
    def why_not(self) -> str:
        """Why we do not understand it; "" when we do."""
        if self.version not in ("0.9", *(f"0.9{n}" for n in range(10))):
            return f"version {self.version[:20]} is not known"
        return "" if self.action.lower() == "hide" else f"action {self.action[:20]} is not known"


def parse(text: bytes) -> Notice | None:
    """Reads a signed text; None when it is no notice."""
    lines = iter(text.decode("utf-8", "replace").splitlines())
    if not any(line.startswith(_HEAD) for line in lines):
        return None
    head: dict[str, str] = {}
    for line in lines:
        if line.startswith(_BODY):
            break
        name, colon, value = line.partition(":")
        if colon:
            head.setdefault(name.strip().lower(), value.strip())
    if not all(head.get(name) for name in _NEEDED):
        return None
    found: dict[str, list[str]] = {}
    last: list[str] = []
    for line in lines:
        if line.startswith(_END):
            break
        if line.startswith("#"):
            continue
        words = line.split()
        if words and not line[:1].isspace():
            if len(found) >= MAX_IDS or not inject.is_message_id(words[0]):
                last = []
                continue
            last = found.setdefault(words.pop(0), [])
        last += words  # a line that begins with blanks goes on with groups
    articles = tuple((name, tuple(groups)) for name, groups in found.items() if groups)
    return Notice(
        head["issuer"], head["type"].lower(), head["notice-id"], head["action"], head["version"], articles
    )


def wanted(notice: Notice, rules: Sequence[NocemRule]) -> NocemRule | None:
    """The first rule that hears this issuer about this type."""
    for rule in rules:
        issuer = rule.issuer.lower() in notice.issuer.lower()
        if issuer and ("*" in rule.types or notice.type in [each.lower() for each in rule.types]):
            return rule
    return None


class Notices:
    """One a process: what a task about a notice leads to."""

    def __init__(self, store: Store, config: News) -> None:
        self._store, self._config = store, config
        self._verifier = Verifier(config.gpgv, config.nocem_keyring or config.keyring)

    async def take(self, asked: Asked) -> None:
        """Does what the notice says, if it is heard; called again after a crash it comes to the same."""
        why, notice = await self._judge(asked)
        by = asked.task.message_id
        gone = 0
        if notice is not None and not why:
            names = [name for name, _ in notice.articles]
            for at in range(0, len(names), SLICE):
                gone += await self._store.write(_hide, names[at : at + SLICE], by, notice.issuer, notice.type)
        facts = {
            "verb": "nocem",
            "issuer": notice.issuer if notice is not None else "",
            "type": notice.type if notice is not None else "",
            "ids": len(notice.articles) if notice is not None else 0,
            "gone": gone,
            "why": why,
        }
        logger.info("notice", message_id=by, **facts)
        await self._store.write(_noted, by, facts)

    async def _judge(self, asked: Asked) -> tuple[str, Notice | None]:
        """Why it is not heard ("" when it is), and what it says."""
        if asked.digest.header("References") is not None:
            return "a notice is no follow-up", None
        parts, notice = await asyncio.to_thread(_read, asked)  # a megabyte takes some 100 ms
        if parts is None or notice is None:
            return "not one signed notice", None
        rule = wanted(notice, self._config.nocem)
        if notice.why_not or rule is None:
            return notice.why_not or "not an issuer and type that is heard", notice
        found = await self._verifier.block(parts[1])
        if not found:
            return found.why, notice
        if not found.is_key(rule.key or rule.issuer):
            return f"signed by {found.names[0]}, not by {rule.key or rule.issuer}", notice
        return "", notice


def _read(asked: Asked) -> tuple[tuple[bytes, bytes] | None, Notice | None]:
    """The signed text and its block, and the notice in it."""
    parts = signed.cleartext(transfer.decode(asked.digest.root.encoding, asked.body))
    return parts, None if parts is None else parse(parts[0])


def _hide(tx: Tx, names: Sequence[str], by: str, issuer: str, kind: str) -> int:
    """Takes away those that are here, and remembers the others; returns how many were here."""
    gone = 0
    for name in names:
        row = history.find(tx, name)
        if row is None:
            history.remember(tx, name)  # nothing changes where it is known
            continue
        groups = cancels.remove(tx, row)
        gone += groups > 0
        detail = {"by": by, "how": "nocem", "issuer": issuer, "type": kind, "groups": groups}
        trace.add(tx, tx.now, "control", "cancelled", None, name, detail, message_row=row)
    return gone


def _noted(tx: Tx, message_id: str, facts: dict[str, object]) -> None:
    trace.add(tx, tx.now, "control", "control", None, message_id, facts)
