"""STORE of ANNOTATION, and what APPEND and COPY do with annotations (RFC 5257 3.4, 4.1, 4.5 to 4.7).

Private values need the right to read, shared ones the right "n".
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import answers, limits, updates
from quintet.imap.annotation_values import part_of
from quintet.imap.cmd import fetch
from quintet.imap.cmd import store as flags
from quintet.imap.progress import Progress
from quintet.message import section
from quintet.store import entries, entry_annotations, glance
from quintet.store.db import bounded
from quintet.store.entry_annotations import Along, Limits, Remark

if TYPE_CHECKING:
    from quintet.config.imap import Imap
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.message.digest import Digest
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, Folder

MAX_BYTES = 1 << 20  # bytes of one kind on one message
PAGE = 500  # messages annotated in one transaction, where the values are short
WRITTEN = 1 << 20  # bytes of values written in one transaction, but of one message at least


def support(session: Session, here: Selected) -> bytes:
    """The ANNOTATIONS code of SELECT (RFC 5257 4.1)."""
    if here.examined:
        return b"ANNOTATIONS READ-ONLY"
    return b"ANNOTATIONS %d" % session.house.config.max_annotation


def bounds(config: Imap) -> Limits:
    return Limits(config.max_annotations, MAX_BYTES, config.annotation_room)


def needed(remarks: Iterable[Remark]) -> str:
    """The rights that it takes to set these (RFC 5257 3.4)."""
    return "".join({"n" if one.shared else "r" for one in remarks})


def check(remarks: Iterable[Remark], config: Imap) -> None:
    """Raises Refused: too long a value (RFC 5257 4.5)."""
    for one in remarks:
        if one.value is not None and len(one.value) > config.max_annotation:
            raise answers.Coded(b"ANNOTATE TOOBIG", Reason.TOO_BIG, "value is too long")


def check_parts(remarks: Iterable[Remark], digests: Iterable[Digest]) -> None:
    """Raises BadSyntax: an entry of a part that a message has not (RFC 5257 3.2.1)."""
    paths = {part_of(one.name) for one in remarks} - {()}
    for digest in digests if paths else ():
        if any(section.part(digest, path) is None for path in paths):
            raise BadSyntax("no such part")


async def annotate(session: Session, command: commands.Annotate, _: Input) -> AsyncGenerator[Any, None]:
    here, config = session.here, session.house.config
    if here.examined:
        raise Refused(Reason.NO_PERMISSION, "mailbox is read-only")
    if not set(needed(command.remarks)) <= set(here.rights):
        raise Refused(Reason.NO_PERMISSION)
    check(command.remarks, config)
    ranges = fetch.wanted(here, command.numbers, uid=command.uid)
    ranges, short = limits.cut(session, here, ranges)
    if command.unchanged_since is not None:
        session.enable((b"CONDSTORE",))  # RFC 7162 3.1
    if any(part_of(one.name) for one in command.remarks):  # before anything is written
        for page in here.view.batches(ranges, PAGE):
            digests = await session.house.store.read(entries.digests, here.folder_id, page)
            check_parts(command.remarks, digests.values())
    weight = sum(len(one.value or b"") for one in command.remarks)
    news, tried = Progress(session, command.tag, here.view.count(ranges)), 0
    modified: list[int] = []
    since = here.cursor
    for page in here.view.batches(ranges, max(min(PAGE, WRITTEN // max(weight, 1)), 1)):
        done = await session.house.store.write(
            _change, here, page, command, session.user.account_id, bounds(config), since
        )
        modified += done.refused
        tried += len(page)
        for reply in news.at(tried):
            yield reply
        told = (*(one for one in done.changed if one.uid not in done.news), *done.late)
        here.told.update((one.uid, one.modseq) for one in told)
        if session.condstore and done.changed:  # RFC 5257 4.5: silent, but for MODSEQ
            yield flags.modseqs(session, here, done.changed)
        if done.late:
            yield updates.flags(session, here, done.late)
        alone = done.before <= here.cursor and not done.news  # nobody else changed anything: all is told
        if alone and not here.contexts:
            here.cursor = max(here.cursor, done.after)
            continue
        for reply in await updates.told(session, may_expunge=False):
            yield reply
        if session.selected is not here:
            break  # the mailbox is gone
    for reply in await updates.told(session, may_expunge=command.uid):
        yield reply
    yield flags.end(session, command, ranges, modified, short)


@bounded(lambda here, uids, *_: len(uids) <= 8)
def _change(
    tx: Tx,
    here: Selected,
    uids: list[int],
    command: commands.Annotate,
    me: AccountId,
    most: Limits,
    since: int,
) -> flags.Done:
    folder_id = here.folder_id
    before = glance.highest(tx, folder_id) or 0
    news = flags.news_of(tx, here, uids, before, since)
    try:
        changed, late = entry_annotations.put(
            tx, folder_id, uids, command.remarks, me, most, unchanged_since=command.unchanged_since
        )
    except Refused as error:
        raise _too_many(error) from error
    states = entries.states(tx, folder_id, late[: flags.MAX_LATE], reader=me) if late else []
    return flags.Done(changed, late, states, before, glance.highest(tx, folder_id) or 0, news)


def _too_many(error: Refused) -> Refused:
    if error.reason is not Reason.TOO_MANY:
        return error
    return answers.Coded(b"ANNOTATE TOOMANY", error.reason, error.text)


# --- APPEND and COPY --------------------------------------------------------------------------------


def file(tx: Tx, folder: Folder, uid: int, remarks: Sequence[Remark], me: AccountId, config: Imap) -> None:
    """Annotations of a message that was just added (RFC 5257 4.7).  Raises Refused, TryLater."""
    if not remarks:
        return
    try:
        entry_annotations.put(tx, folder.id, [uid], remarks, me, bounds(config))
    except Refused as error:
        raise _too_many(error) from error


def along(target: Place, me: AccountId, config: Imap) -> Along:
    """What goes along with a copy: as far as the target's rights let (RFC 5257 4.6)."""
    return Along(target.may("n"), me if target.may("r") else None, config.annotation_room)
