"""Mail for a group's address becomes an article: who may, what its header must become, and what went wrong.

`allow` speaks at RCPT; `post` is the step of `inbound` that hands the message to `post.PostOffice`, which
decides about moderation and files it.  RFC 5537 3.5 (injection), 3.10.1 (gateways), RFC 5536 3.1.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING

from quintet import log
from quintet.delivery import filing, inject
from quintet.delivery.envelope import GATEWAY, Envelope, Recipient
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.message import headers
from quintet.store import access, groups
from quintet.store.content import Content
from quintet.store.db import Tx

if TYPE_CHECKING:
    from quintet.auth.service import Identity
    from quintet.delivery.directory import Directory
    from quintet.delivery.inbound import Inbound, Passage
    from quintet.delivery.post import PostOffice
    from quintet.delivery.postrights import Grants

CHUNK = 64 * 1024  # octets
MAX_REFERENCES = 50  # ids taken over from In-Reply-To

FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?:\r\n|\Z)")
# what means something else in mail, or is not for a poster to say (RFC 5537 3.10.1)
_DROPPED = inject.TRANSPORT | frozenset(
    b"newsgroups control distribution supersedes bcc resent-bcc lines expires archive".split()
)

logger = log.get("delivery")


def allow(inbound: Inbound, envelope: Envelope, found: Recipient) -> None:
    """At RCPT: whether this client may post there by mail; a gateway looks at the message first.

    Raises:
        Refused(NO_SUCH_ADDRESS): groups take no mail here, or it is gone.
        Refused(NO_PERMISSION): not this sender, or nobody.  Refused(POLICY): a report is no article.
    """
    office = inbound.directory.office
    if office is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    if found.role == GATEWAY:
        return
    if not envelope.sender:
        raise Refused(Reason.POLICY, "Reports are not posted")
    stranger = envelope.identity is None and inbound.directory.config.news_from == "users"
    if stranger and not inbound.store.peek(_open, found.group):
        raise Refused(Reason.NO_PERMISSION, "Only who has logged in may post here by mail")
    office.allow([found.group], envelope.identity)


def post(passage: Passage) -> Awaitable[None] | None:
    """Posts what is for groups, as one article for all of them.

    A refusal stands for all when nobody else has the message, else it is reported to the sender.
    Raises Refused, TryLater.
    """
    for one in passage.envelope.recipients:
        if one.group:
            return _post(passage)
    return None


async def _post(passage: Passage) -> None:
    envelope = passage.envelope
    numbers = [
        number
        for number, one in enumerate(envelope.recipients)
        if one.group and _sends(passage.decisions[number])
    ]
    if not numbers or envelope.wishes.release_at > passage.now:
        return
    outcome: filing.Decision = filing.Discard()  # it is where it belongs, and in no folder
    try:
        to = [envelope.recipients[number] for number in numbers]
        await bring(passage.inbound.directory, envelope.identity, envelope, to, passage.content)
    except Refused as problem:
        if len(numbers) == len(envelope.recipients):
            raise
        outcome = filing.Reject(problem)
    for number in numbers:
        passage.decisions[number] = outcome


def _sends(decision: filing.Decision) -> bool:
    return isinstance(decision, filing.Send) and not decision.hold


async def bring(
    directory: Directory,
    identity: Identity | None,
    envelope: Envelope,
    recipients: Sequence[Recipient],
    content: Content,
) -> None:
    """A message to all the groups that recipients stand for, by themselves or by gateways.

    Raises Refused, TryLater.
    """
    office = directory.office
    if office is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    names = list(dict.fromkeys(one.group for one in recipients if one.role != GATEWAY))
    for one in recipients:
        gateway = directory.gateway(one.address) if one.role == GATEWAY else None
        if gateway is not None:
            from quintet.delivery import gateways  # it needs this module

            await gateways.post(office, gateway, envelope, content)
    if names:
        await inject_mail(office, identity, envelope, names, content)


async def inject_mail(
    office: PostOffice,
    identity: Identity | None,
    envelope: Envelope,
    names: Sequence[str],
    content: Content,
    *,
    extra: Mapping[str, str] | None = None,
    grants: Grants | None = None,
) -> None:
    """Posts a message into groups; one that is there already, by its Message-ID, is as good as posted.

    ``extra`` are further fields, or stand in for those that may be there once.  Raises Refused, TryLater.
    """
    if content.digest.header_end > inject.MAX_HEAD:
        raise inject.bad(f"Header larger than {inject.MAX_HEAD} bytes")
    recommended = f"<{content.sha256[:15].hex()}@{office.path_host}>"  # the same when it comes again
    try:
        await office.post(
            identity,
            envelope.peer,
            _article(content, names, extra or {}),
            group=names[0],
            recommended=recommended,
            grants=grants,
        )
    except Problem as problem:
        if problem.reason is Reason.DUPLICATE:
            logger.info("posted before", conn=envelope.peer.id, message_id=content.message_id)
            return
        if isinstance(problem, Refused | TryLater):
            raise
        raise Refused(Reason.BAD_CONTENT, problem.text) from problem


async def _article(content: Content, names: Sequence[str], extra: Mapping[str, str]) -> AsyncIterator[bytes]:
    """The message with the header of an article."""
    end = content.digest.header_end
    more = b"".join([f"{name}: {value}\r\n".encode() for name, value in extra.items()]) + b"\r\n"
    instead = frozenset(name.lower().encode() for name in extra) & inject.ONCE
    if content.data is not None:
        yield article_header(content.data[:end], names, instead) + more
        yield content.data[end:]
        return
    assert content.path is not None
    file = await asyncio.to_thread(content.path.open, "rb")
    try:
        yield article_header(await asyncio.to_thread(file.read, end), names, instead) + more
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()


def article_header(block: bytes, names: Sequence[str], without: frozenset[bytes] = frozenset()) -> bytes:
    """A mail's header as a proto-article's: each field once and well formed, for these groups.

    What mail and news mean differently goes; References is made of In-Reply-To where it is missing.
    """
    kept: dict[bytes, bytes] = {}
    many: list[bytes] = []
    for match in FIELD.finditer(block):
        name, value = match.groups()
        key, value = name.lower(), inject.well_folded(value)
        if key == b"sender" and key in without:
            name, key = b"Original-Sender", b"original-sender"  # RFC 5537 3.10.2, 3.10.3
        if key in _DROPPED or key in without or not value:
            continue
        if (key == b"date" and headers.parse_news_date(value) is None) or (
            key == b"message-id" and not inject.is_message_id(value.strip().decode("latin-1"))
        ):
            many.append(b"X-Original-%b: %b\r\n" % (name, value))
        elif key in inject.ONCE:
            kept.setdefault(key, b"%b: %b\r\n" % (name, value))
        else:
            many.append(b"%b: %b\r\n" % (name, value))
    if b"references" not in kept and b"in-reply-to" in kept:
        ids = headers.msg_ids(kept[b"in-reply-to"].partition(b":")[2])[:MAX_REFERENCES]
        if ids:
            kept[b"references"] = b"References: " + "\r\n ".join(ids).encode() + b"\r\n"
    followup = kept.pop(b"followup-to", b"")
    if followup.partition(b":")[2].strip().lower() == b"poster":
        many.append(b"Followup-To: poster\r\n")
    newsgroups = f"Newsgroups: {','.join(names)}\r\n".encode()
    return newsgroups + b"".join(kept.values()) + b"".join(many)


def _open(tx: Tx, name: str) -> bool:
    """The group says that anyone may post, logged in or not."""
    folder = groups.find(tx, name)
    return folder is not None and "p" in access.of_folder(tx, None, folder)
