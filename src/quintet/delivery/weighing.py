"""What points lead to: a field, the Junk folder, quarantine, a refusal (section [policy.scores]).

Points are given by checks and scores (`delivery.checks`); here is only what follows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import authres, filing
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import CHUNK
from quintet.store import folders
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId

if TYPE_CHECKING:
    from quintet.delivery.envelope import Recipient
    from quintet.delivery.inbound import Passage

JUNK = "$Junk"  # the keyword that clients know (IANA, IMAP keywords)
MAX_NAMED = 20  # tests named in one field
MAX_WHY = 200  # characters of the reason that `quintet queue list` shows

logger = log.get("policy")


def refuse(passage: Passage) -> None:
    """Raises Refused(POLICY) where the points are too many."""
    limit, score = passage.inbound.policy.scores.refuse, passage.verdict.score
    if 0 < limit <= score:
        envelope = passage.envelope
        logger.info(
            "scored",
            conn=envelope.peer.id,
            sender=str(envelope.sender),
            score=round(score, 2),
            tests=_names(passage),
            result="refused",
        )
        raise Refused(Reason.POLICY, "Message looks like spam")


def tags(passage: Passage) -> list[bytes]:
    """The field that tells points to people and to their own rules."""
    limit, score = passage.inbound.policy.scores.tag, passage.verdict.score
    if not 0 < limit <= score:
        return []
    return [f"X-Spam-Score: {score:.1f} ({_names(passage)})\r\n".encode("ascii", "replace")]


def _names(passage: Passage) -> str:
    points = passage.verdict.points
    words = [f"{name.replace(' ', '-')}={points[name]:.1f}" for name in list(points)[:MAX_NAMED]]
    return " ".join("".join(char for char in word if char.isalnum() or char in "-_.=") for word in words)


async def decide(passage: Passage, recipient: Recipient) -> filing.Decision | None:
    """Where a message with points goes for one recipient; None: where it would go without them."""
    scores, score = passage.inbound.policy.scores, passage.verdict.score
    if 0 < scores.quarantine <= score:
        return await quarantine(passage, recipient, f"{score:.1f} points ({_names(passage)})")
    if 0 < scores.junk <= score and recipient.account_id:
        return junk(passage, recipient)
    return None


def junk(passage: Passage, recipient: Recipient) -> filing.Decision | None:
    """The account's Junk folder; None where it has none."""
    found = passage.inbound.store.peek(folders.by_role, AccountId(recipient.account_id), "junk")
    return filing.File(found.id, keywords=(JUNK,)) if found is not None else None


async def quarantine(passage: Passage, recipient: Recipient, why: str) -> filing.Decision:
    """The account's folder for what an administrator may let through; made when it is first needed.

    What goes to elsewhere, to a group or a list is held in the queue instead, with ``why`` as the reason.
    """
    if not recipient.account_id:
        return filing.Send((str(recipient.address),), hold=f"quarantined: {why}"[:MAX_WHY])
    name = passage.inbound.policy.scores.quarantine_folder
    return filing.File(await into(passage, recipient, name))


async def into(passage: Passage, recipient: Recipient, name: str) -> int:
    """A folder of the recipient's account by its name, made if need be.  Raises as `folders.create`."""
    store, account = passage.inbound.store, AccountId(recipient.account_id)
    found = store.peek(folders.find, account, name)
    return found.id if found is not None else await store.write(_made, account, name)


def _made(tx: Tx, account: AccountId, name: str) -> FolderId:
    found = folders.find(tx, account, name)  # another message may have been first
    return (found or folders.create(tx, account, name)).id


# --- Authentication-Results of others ----------------------------------------------------------------


async def without_foreign(passage: Passage) -> Content:
    """The message without fields that bear our own name (RFC 8601 5); a new body, scanned anew.

    Raises TryLater(DISK_FULL, STORAGE).
    """
    content, inbound = passage.content, passage.inbound
    end = content.digest.header_end
    spool = inbound.store.spool()
    header = bytearray()
    try:
        async for piece in pieces(content):
            if len(header) < end:
                need = end - len(header)
                header += piece[:need]
                piece = piece[need:]
                if len(header) == end:
                    spool.write(authres.without_ours(bytes(header), inbound.authserv_id))
            if piece:
                spool.write(piece)
        made = await spool.finish()
    finally:
        spool.discard()
    logger.info("foreign results removed", conn=passage.envelope.peer.id, sender=str(passage.envelope.sender))
    return made


async def pieces(content: Content) -> AsyncIterator[bytes]:
    """The octets of a message that has just come.  Raises TryLater(STORAGE)."""
    """The body of a content in order."""
    if content.data is not None:
        yield content.data
        return
    assert content.path is not None
    try:
        with content.path.open("rb") as file:
            while piece := file.read(CHUNK):  # it was written a moment ago: from the file cache
                yield piece
    except OSError as error:
        raise TryLater(Reason.STORAGE) from error
