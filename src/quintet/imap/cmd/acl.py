"""SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 3), MYRIGHTS of LIST (RFC 8440).

What the letters allow is asked where each command is carried out; `store.access` keeps them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import format as fmt
from quintet.imap import names, places, updates
from quintet.store import access, accounts, teams

if TYPE_CHECKING:
    from quintet.imap import share_commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx
    from quintet.store.model import AccountId

_ASK = frozenset("lrikxa")  # one of these lets MYRIGHTS answer (RFC 4314 4)
_OPTIONAL = b"l r s w i p k x t e c d a n"  # RFC 4314 3.7: nothing is tied to anything


def told(rights: str) -> bytes:
    """Rights as clients read them, with the two virtual ones of RFC 2086 (RFC 4314 2.1.1)."""
    text = rights
    if "k" in rights:
        text += "c"
    if set("xte") & set(rights):
        text += "d"
    return text.encode("ascii") or b'""'


def my_line(session: Session, where: Place) -> bytes:
    """``* MYRIGHTS name rights``."""
    name = fmt.mailbox(where.name, utf8=session.utf8)
    return b"* MYRIGHTS %b %b\r\n" % (name, told(where.rights))


async def change(session: Session, command: share_commands.SetAcl, _: Input) -> AsyncGenerator[Any, None]:
    name = names.decode(command.mailbox, utf8=session.utf8)
    who = _identifier(session, command.identifier)
    await session.house.store.write(
        _change, session.user.account_id, name, who, command.mode, access.spelled(command.letters)
    )
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def _identifier(session: Session, raw: bytes) -> str:
    """An identifier as rows have it (RFC 4314 3: prepared by SASLprep)."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadSyntax("identifier is not UTF-8") from error
    minus = "-" if text.startswith("-") else ""
    bare = text.removeprefix("-")
    if bare.lower() in access.EVERYBODY:
        return minus + bare.lower()
    if bare.startswith(teams.MARK):
        try:
            return minus + teams.MARK + teams.normal_name(bare)
        except Refused:
            raise BadSyntax("not the name of a team") from None
    login = session.house.auth.canonical(bare)
    if not login or login.startswith("-"):
        raise BadSyntax("empty identifier")
    return minus + login


def _change(tx: Tx, account_id: AccountId, name: str, who: str, mode: str, letters: str) -> None:
    where = places.get(tx, account_id, name, "a")
    bare = who.removeprefix("-")
    if bare == accounts.get(tx, where.folder.account_id).name:
        if who == bare and mode != "-" and (mode == "+" or letters == access.ALL):
            return  # the owner has them all
        raise Refused(Reason.UNSUPPORTED, "the owner of a mailbox keeps all rights")
    old = access.listing(tx, where.folder.id).get(who, "")
    if mode == "+":
        letters = access.spelled(old + letters)
    elif mode == "-":
        letters = "".join(letter for letter in old if letter not in letters)
    if letters and not old and not access.is_known(tx, bare):
        raise Refused(Reason.NO_SUCH_ACCOUNT, "no such account")  # it might be somebody else's one day
    access.grant(tx, where.folder.id, who, letters)


def get(session: Session, command: share_commands.GetAcl, _: Input) -> Replies:
    name = names.decode(command.mailbox, utf8=session.utf8)
    rows = session.house.store.peek(_rows, session.user.account_id, name)
    pairs = b"".join(
        [b" %b %b" % (fmt.astring(who.encode(), utf8=session.utf8), told(rights)) for who, rights in rows]
    )
    line = b"* ACL %b%b\r\n" % (fmt.mailbox(name, utf8=session.utf8), pairs)
    return updates.then(session, line + b"%b OK Done\r\n" % command.tag)


def _rows(tx: Tx, account_id: AccountId, name: str) -> list[tuple[str, str]]:
    where = places.get(tx, account_id, name, "a")
    owner = accounts.get(tx, where.folder.account_id).name
    return [(owner, access.ALL), *access.listing(tx, where.folder.id).items()]


def list_rights(session: Session, command: share_commands.ListRights, _: Input) -> Replies:
    name = names.decode(command.mailbox, utf8=session.utf8)
    who = _identifier(session, command.identifier)
    always = session.house.store.peek(_owns, session.user.account_id, name, who)
    rights = told(access.ALL) if always else b'"" ' + _OPTIONAL
    line = b"* LISTRIGHTS %b %b %b\r\n" % (
        fmt.mailbox(name, utf8=session.utf8),
        fmt.astring(command.identifier, utf8=session.utf8),  # as it was written (RFC 4314 3.4)
        rights,
    )
    return updates.then(session, line + b"%b OK Done\r\n" % command.tag)


def _owns(tx: Tx, account_id: AccountId, name: str, who: str) -> bool:
    where = places.get(tx, account_id, name, "a")
    return accounts.get(tx, where.folder.account_id).name == who


def mine(session: Session, command: share_commands.MyRights, _: Input) -> Replies:
    name = names.decode(command.mailbox, utf8=session.utf8)
    where = session.house.store.peek(places.find, session.user.account_id, name)
    if where is None or not _ASK & set(where.rights):
        raise Refused(Reason.NO_SUCH_FOLDER, "no such mailbox")
    return updates.then(session, my_line(session, where) + b"%b OK Done\r\n" % command.tag)
