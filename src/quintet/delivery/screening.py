"""What becomes of an article before it is filed: EMP by the body's hash, then an administrator's hooks.

Asked alike for posts and for what peers bring.  An article is filed, refused with a text, held back in
quarantine, or thrown away; the last two look to its sender like the first.  What goes wrong in a hook is
contained by `policy.hooks`.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Sequence

from quintet import log, metrics
from quintet.clock import Clock
from quintet.config.news import News
from quintet.delivery import hooking
from quintet.delivery.emp import MAX_HASHED, Emp
from quintet.policy import hooks as policy_hooks
from quintet.policy import outcomes
from quintet.policy.hooks import Hooks
from quintet.store.content import Content
from quintet.store.store import Store
from quintet.values import dataclass

ARTICLE, MESSAGE_ID, MODE = "article", "message_id", "mode"

logger = log.get("screening")


class Word(enum.Enum):
    """What becomes of an article."""

    FILE = "filed"
    REFUSE = "refused"
    QUARANTINE = "quarantined"
    DROP = "dropped"


@dataclass(frozen=True, slots=True)
class Fate:
    """With the reason, for the sender (of a refusal) and for the trace."""

    word: Word
    text: str = ""


FILE = Fate(Word.FILE)
_EMP = {"quarantine": Word.QUARANTINE, "refuse": Word.REFUSE, "drop": Word.DROP}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who brings an article: the connection, and who logged in or which peer it is."""

    conn: str
    address: str
    account: str = ""
    peer: str = ""


class Screen:
    """One a process.  ``hooks`` gives the hooks as they were read last; None for none."""

    def __init__(
        self, store: Store, config: News, clock: Clock, hooks: Callable[[], Hooks | None] = lambda: None
    ) -> None:
        self.config, self._clock, self.hooks = config, clock, hooks
        self._emp = Emp(config, store.data / "run")

    @property
    def looks(self) -> bool:
        """There is anything to be asked about articles."""
        return self._emp.active or self._asked(ARTICLE) is not None

    @property
    def looks_at_ids(self) -> bool:
        """A hook has a word about offered Message-IDs."""
        return self._asked(MESSAGE_ID) is not None

    def _asked(self, name: str) -> Hooks | None:
        hooks = self.hooks()
        return hooks if hooks is not None and name in hooks else None

    async def article(self, sender: Sender, message_id: str, groups: Sequence[str], content: Content) -> Fate:
        """What becomes of an article.  Raises TryLater(BUSY): a hook failed, and failing hooks put off."""
        fate = await self._emp_says(groups, content)
        if fate.word is Word.FILE:
            fate = await self._hook_says(sender, message_id, groups, content)
        if fate.word is not Word.FILE:
            metrics.SCREENED.labels(fate.word.value).inc()
            logger.info(fate.word.value, conn=sender.conn, message_id=message_id, why=fate.text)
        return fate

    async def _emp_says(self, groups: Sequence[str], content: Content) -> Fate:
        if not self._emp.active or content.digest.header("Control") is not None:
            return FILE  # cancels all read alike
        body = await _body(content)
        text = self._emp.too_often(body, groups, self._clock.now() / 1000)
        return Fate(_EMP[self.config.emp_action], text) if text else FILE

    async def _hook_says(
        self, sender: Sender, message_id: str, groups: Sequence[str], content: Content
    ) -> Fate:
        hooks = self._asked(ARTICLE)
        if hooks is None:
            return FILE
        seen = hooking.arriving(
            sender.conn, sender.address, sender.account, sender.peer, message_id, groups, content
        )
        for said in await hooks.call(ARTICLE, seen, conn=sender.conn):
            match said:
                case outcomes.Refuse():
                    return Fate(Word.REFUSE, said.text)
                case outcomes.Quarantine():
                    return Fate(Word.QUARANTINE, "a hook said so")
                case outcomes.Discard():
                    return Fate(Word.DROP, "a hook said so")
                case outcomes.Defer():
                    raise outcomes.Delay(said)
                case _:
                    break
        return FILE

    async def offers(self, sender: Sender, ids: Sequence[str]) -> dict[str, str]:
        """Those of the offered Message-IDs that a hook refuses, with its texts.  Raises TryLater(BUSY)."""
        hooks = self._asked(MESSAGE_ID)
        if hooks is None:
            return {}
        peer = hooking.peer_of(sender.conn, sender.address, sender.account or sender.peer)
        offers = [(policy_hooks.Offer(peer, each, sender.peer),) for each in ids]
        said = await hooks.call_each(MESSAGE_ID, offers, conn=sender.conn)
        return {
            each: answer.text
            for each, answers in zip(ids, said, strict=True)
            for answer in answers[:1]
            if isinstance(answer, outcomes.Refuse)
        }

    async def mode(self, before: str, now: str, reason: str = "") -> None:
        """Tells the hook ``mode`` that the news service began, or is about to end."""
        hooks = self._asked(MODE)
        if hooks is not None:
            await hooks.tell(MODE, policy_hooks.Mode(before, now, reason))


async def _body(content: Content) -> bytes:
    start = content.digest.header_end
    if content.data is not None:
        return content.data[start : start + MAX_HASHED]
    assert content.path is not None

    def read() -> bytes:
        with hooking.opener(content)() as file:
            file.seek(start)
            return file.read(MAX_HASHED)

    return await asyncio.to_thread(read)
