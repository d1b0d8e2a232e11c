"""COPY, MOVE and their UID forms (RFC 9051 6.4.7, 6.4.8, RFC 4315 3, RFC 6851)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet.errors import Reason, Refused
from quintet.imap import names, places, sets, updates
from quintet.imap.cmd import fetch
from quintet.store import entries
from quintet.store.model import Copied, FolderKind

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input
    from quintet.store.db import Tx
    from quintet.store.model import AccountId


async def copy(session: Session, command: commands.Copy, _: Input) -> AsyncGenerator[Any, None]:
    here = session.here
    name = names.decode(command.mailbox, utf8=session.utf8)
    if command.move and (here.read_only or not {"t", "e"} <= set(here.rights)):
        raise Refused(Reason.NO_PERMISSION, "messages cannot be moved out of here")
    uids = here.view.uids(fetch.wanted(here, command.numbers, uid=command.uid))
    if not uids:
        yield b"%b OK No messages\r\n" % command.tag
        return
    done = await session.house.store.write(_transfer, here, session.user.account_id, name, uids, command.move)
    uid_validity, copied = done
    code = b""
    if copied:
        code = b"[COPYUID %d %b %b] " % (
            uid_validity,
            sets.write(sets.runs([one.source_uid for one in copied])),
            sets.write(sets.runs([one.target_uid for one in copied])),
        )
    if command.move and code:  # before EXPUNGE, so that the client knows where they went (RFC 6851 4.3)
        yield b"* OK %bMoved\r\n" % code
        code = b""
    for reply in await updates.told(session):
        yield reply
    if command.move and session.qresync:
        code = b"[HIGHESTMODSEQ %d] " % here.cursor
    if not command.uid and len(copied) < len(uids):
        code = code or b"[EXPUNGEISSUED] "
    yield b"%b OK %bDone\r\n" % (command.tag, code)


def _transfer(
    tx: Tx, here: Selected, account_id: AccountId, name: str, uids: list[int], move: bool
) -> tuple[int, list[Copied]]:
    """All of them or none; the target is looked up in the transaction that writes."""
    target = places.get(tx, account_id, name, "i")
    if target.folder.kind != FolderKind.MAIL:
        raise Refused(Reason.UNSUPPORTED, "messages are not copied into newsgroups")
    work = entries.move if move else entries.copy
    return target.folder.uid_validity, work(tx, here.folder_id, uids, target.folder.id, reader=here.reader)
