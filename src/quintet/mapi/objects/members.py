"""The permissions of a folder, a row for each who has some (MS-OXCPERM 3.2.5.1, 3.2.5.2).

The rows are those of `store.access`, so what is granted here holds in every protocol.  "Default" is whoever
logged in and has no row; rows that take rights away have no place in this table and stay as they are.
"""

from __future__ import annotations

import functools
import hashlib
import operator
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.nspi import names
from quintet.mapi.objects import permissions
from quintet.mapi.table import Rows
from quintet.mapi.types import Tag, Value
from quintet.store import access, accounts, folders, teams
from quintet.store.model import AccountId
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.mapi.objects.folder import Folder

ENTRY_ID: Final[Tag] = 0x0FFF0102
MEMBER_ID: Final[Tag] = 0x66710014
MEMBER_NAME: Final[Tag] = 0x6672001F
MEMBER_RIGHTS: Final[Tag] = 0x66730003
DEFAULT, ANONYMOUS = 0, -1  # of MEMBER_ID (2.2.5)
MAIL_USER, DISTRIBUTION_LIST = 0, 1  # display types


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the list."""

    id: int
    who: str  # the row in `store.access`
    name: str
    entry_id: bytes
    rights: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A row to be added or changed: whom, by entry id or member id, and the rights; None: take it away."""

    rights: int | None
    member: int | None = None
    entry_id: bytes = b""


class Members(Rows):
    """The permissions table."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def ids(self) -> Sequence[int]:
        return [one.id for one in listing(self.folder)]

    def version(self) -> Hashable:
        tx, number = self.folder.box.tx, self.folder.id
        return repr((access.listing(tx, number), access.more(tx, number)))

    def columns(self) -> Sequence[Tag]:
        return [ENTRY_ID, MEMBER_ID, MEMBER_NAME, MEMBER_RIGHTS]

    def values(self, ids: Sequence[int], keys: Sequence[Tag]) -> list[list[Value]]:
        rows = {one.id: one for one in listing(self.folder)}
        found = []
        for number in ids:
            one = rows.get(number)
            told: dict[Tag, Value] = {}
            if one is not None:
                told = {
                    ENTRY_ID: one.entry_id,
                    MEMBER_ID: one.id,
                    MEMBER_NAME: one.name,
                    MEMBER_RIGHTS: one.rights,
                }
            found.append([told.get(key) for key in keys])
        return found


def listing(folder: Folder) -> list[Member]:
    """Default and anonymous users, then the others by their names.  Raises MapiError(ACCESS_DENIED)."""
    folder.check("l")
    tx = folder.box.tx
    rows, more = access.listing(tx, folder.id), access.more(tx, folder.id)

    def rights(*who: str) -> int:
        letters = "".join(rows.get(one, "") for one in who)
        return permissions.of_letters(
            letters, functools.reduce(operator.or_, [more.get(one, 0) for one in who])
        )

    found = [
        Member(DEFAULT, access.AUTHENTICATED, "", b"", rights(access.AUTHENTICATED, access.ANYONE)),
        Member(ANONYMOUS, access.ANONYMOUS, "Anonymous", b"", rights(access.ANONYMOUS, access.ANYONE)),
    ]
    named = [who for who in sorted(rows.keys() | more.keys()) if who not in access.EVERYBODY]
    return found + [_member(folder, who, rights(who)) for who in named if not who.startswith("-")]


def _member(folder: Folder, who: str, rights: int) -> Member:
    if who.startswith(teams.MARK):
        name = who.removeprefix(teams.MARK)
        return Member(
            _number(who), who, name, names.permanent(DISTRIBUTION_LIST, names.of_team(name)), rights
        )
    account = accounts.find(folder.box.tx, who)
    if account is None:  # a row of somebody who is gone: it means nothing, and can be taken away
        return Member(_number(who), who, who, b"", rights)
    dn = names.of_object(account.id, account.name)
    return Member(
        account.id, who, account.display_name or account.name, names.permanent(MAIL_USER, dn), rights
    )


def _number(who: str) -> int:
    """For those who have no account's: a hash, beyond all object numbers."""
    return int.from_bytes(hashlib.blake2b(who.encode(), digest_size=8).digest()) >> 2 | 1 << 61


def change(folder: Folder, grants: Iterable[Grant], *, replace: bool) -> None:
    """Adds, changes and removes rows; with ``replace`` all but the default user's go first (R1197).

    Raises:
        MapiError(ACCESS_DENIED): the reader does not own the folder (R116).
        MapiError(NOT_FOUND): nobody is known by that id.  MapiError(INVALID_PARAMETER): rights that are none.
    """
    folder.check("a")
    present = {one.id: one for one in listing(folder)}
    if replace:
        for one in present.values():
            if one.id != DEFAULT:
                _set(folder, one.who, 0)
    for grant in grants:
        who = _who(folder, grant, present)
        if grant.rights is not None and grant.rights & ~_ALL:
            raise MapiError(Code.INVALID_PARAMETER, "no possible rights")
        _set(folder, who, grant.rights or 0)
    folders.touch(folder.box.tx, folder.id)
    folder.box.written()


_ALL = permissions.NO_LETTERS | sum(permissions.LETTERS)


def _who(folder: Folder, grant: Grant, present: dict[int, Member]) -> str:
    if grant.member is not None:
        if grant.member not in present:
            raise MapiError(Code.NOT_FOUND, "nobody of that number has rights here")
        return present[grant.member].who
    dn = names.read_or_none(grant.entry_id)
    if not isinstance(dn, str):
        raise MapiError(Code.NOT_FOUND)
    team = names.team_of(dn)
    if team is not None:
        if not access.is_known(folder.box.tx, teams.MARK + team):
            raise MapiError(Code.NOT_FOUND)
        return teams.MARK + team
    number = names.number_of(dn)
    if number is None:
        raise MapiError(Code.NOT_FOUND)
    return accounts.get(folder.box.tx, AccountId(number)).name


def _set(folder: Folder, who: str, rights: int) -> None:
    tx = folder.box.tx
    rows = access.listing(tx, folder.id)
    if who in (access.AUTHENTICATED, access.ANONYMOUS) and access.ANYONE in rows:
        # "anyone" is both of them: from now on each has a row of its own
        for each in (access.AUTHENTICATED, access.ANONYMOUS):
            access.grant(tx, folder.id, each, "".join({*rows.get(each, ""), *rows[access.ANYONE]}))
        access.revoke(tx, folder.id, access.ANYONE)
        rows = access.listing(tx, folder.id)
    access.grant(tx, folder.id, who, permissions.to_letters(rights, rows.get(who, "") if rights else ""))
    access.set_more(tx, folder.id, who, rights & permissions.NO_LETTERS)
