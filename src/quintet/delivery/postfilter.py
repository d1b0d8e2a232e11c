"""The hook ``post``: an administrator's own word on an article that is about to be filed (docs/hooks.md).

INN's filter of nnrpd in our terms: `refuse` is its text, `discard` DROP, `spool` SPOOL, `close` CLOSE.
"""

from __future__ import annotations

from collections.abc import Callable

from quintet.auth.identity import Identity
from quintet.delivery import hooking
from quintet.delivery.inject import Proto
from quintet.errors import Reason, Refused
from quintet.net.seam import CHUNK, Peer
from quintet.policy import outcomes
from quintet.policy.hooks import Hooks
from quintet.store.blobs import Spool
from quintet.store.content import Content
from quintet.store.store import Store
from quintet.values import dataclass


class Closed(Refused):
    """The article is refused, and its poster shall go (INN: CLOSE)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of an article."""

    content: Content  # with what was added
    dropped: bool = False  # the poster hears that it was taken
    spooled: bool = False  # it goes to a group of its own first


class PostFilter:
    """Asks the hook, if there is one.  ``hooks`` is set by who reads the file, and anew after a reload."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.hooks: Callable[[], Hooks | None] = lambda: None

    @property
    def looks(self) -> bool:
        """There is such a hook."""
        asked = self.hooks()
        return asked is not None and "post" in asked

    async def ask(
        self, identity: Identity | None, peer: Peer, proto: Proto, content: Content, spools: list[Spool]
    ) -> Answer:
        """What the hook makes of an article.  New ``spools`` are for the caller to discard.

        Raises:
            Refused(POLICY), Closed, TryLater(POLICY | BUSY).
        """
        asked = self.hooks()
        if asked is None or not self.looks:
            return Answer(content)
        dropped = spooled = False
        fields: list[bytes] = []
        seen = hooking.article(identity, peer, proto.message_id, proto.groups, content)
        for said in await asked.call("post", seen, conn=peer.id):
            match said:
                case outcomes.Accept():
                    break
                case outcomes.Refuse():
                    raise outcomes.Refusal(said)
                case outcomes.Defer():
                    raise outcomes.Delay(said)
                case outcomes.Close():
                    raise Closed(Reason.POLICY, said.text)
                case outcomes.Discard():
                    dropped = True
                case outcomes.Spool():
                    spooled = True
                case outcomes.AddHeader():
                    fields.append(said.line)
        if fields and not dropped:
            content = await self._with_fields(content, b"".join(fields), spools)
        return Answer(content, dropped, spooled)

    async def _with_fields(self, content: Content, fields: bytes, spools: list[Spool]) -> Content:
        """The same article with more fields at the end of its header."""
        spool = self._store.spool()
        spools.append(spool)
        with hooking.opener(content)() as file:
            spool.write(file.read(content.digest.header_end - 2) + fields)  # before the blank line
            while piece := file.read(CHUNK):
                spool.write(piece)
        return await spool.finish()
