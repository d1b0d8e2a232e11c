"""Teams: accounts that are given rights together, by the identifier "$NAME" (RFC 4314 3).

Who joins or leaves has other rights at once; whoever watches a folder that names the team is told to look.
"""

from __future__ import annotations

import re

from quintet.errors import Reason, Refused
from quintet.store import directory
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId
from quintet.values import dataclass

MARK = "$"  # before a team's name where rights are given
MAX_MEMBERS = 10_000  # of one team
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Team:
    """A team and how many are in it."""

    name: str
    description: str
    members: int


def normal_name(name: str) -> str:
    """Lower case, without the mark.  Raises Refused(BAD_NAME)."""
    bare = name.strip().lower().removeprefix(MARK)
    if _NAME.fullmatch(bare) is None:
        raise Refused(Reason.BAD_NAME, name)
    return bare


def create(tx: Tx, name: str, description: str = "") -> Team:
    """A team of nobody.  Raises Refused(ALREADY_EXISTS | BAD_NAME)."""
    name = normal_name(name)
    if not tx.run(
        "INSERT INTO team (name, description, created_at) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING",
        name, description, tx.now,
    ):  # fmt: skip
        raise Refused(Reason.ALREADY_EXISTS, name)
    directory.changed(tx)
    return get(tx, name)


def get(tx: Tx, name: str) -> Team:
    """Raises Refused(NO_SUCH_ACCOUNT)."""
    row = tx.one(
        "SELECT name, description, (SELECT count(*) FROM team_member m WHERE m.team = t.name) FROM team t"
        " WHERE name = ?", name.lower().removeprefix(MARK),
    )  # fmt: skip
    if row is None:
        raise Refused(Reason.NO_SUCH_ACCOUNT, f"no such team: {name}")
    return Team(*row)


def is_there(tx: Tx, name: str) -> bool:
    return tx.one("SELECT 1 FROM team WHERE name = ?", name.lower().removeprefix(MARK)) is not None


def listing(tx: Tx) -> list[Team]:
    rows = tx.all(
        "SELECT name, description, (SELECT count(*) FROM team_member m WHERE m.team = t.name) FROM team t"
        " ORDER BY name"
    )
    return [Team(*row) for row in rows]


def members(tx: Tx, name: str) -> list[str]:
    """Login names.  Raises Refused(NO_SUCH_ACCOUNT): no such team."""
    rows = tx.all(
        "SELECT a.name FROM team_member m JOIN account a ON a.id = m.account_id WHERE m.team = ?"
        " ORDER BY a.name", get(tx, name).name,
    )  # fmt: skip
    return [login for (login,) in rows]


def of(tx: Tx, account_id: AccountId) -> list[str]:
    """The teams that an account is in."""
    rows = tx.all("SELECT team FROM team_member WHERE account_id = ? ORDER BY team", account_id)
    return [name for (name,) in rows]


def join(tx: Tx, name: str, account_id: AccountId) -> None:
    """Nothing happens when it is in there.  Raises Refused(NO_SUCH_ACCOUNT | TOO_MANY)."""
    team = get(tx, name)
    if team.members >= MAX_MEMBERS:
        raise Refused(Reason.TOO_MANY, "too many members")
    tx.run(
        "INSERT INTO team_member (team, account_id) VALUES (?, ?) ON CONFLICT (team, account_id) DO NOTHING",
        team.name, account_id,
    )  # fmt: skip
    _hint(tx, team.name)


def leave(tx: Tx, name: str, account_id: AccountId) -> None:
    """Raises Refused(NO_SUCH_ACCOUNT): no such team, or it is not in there."""
    team = get(tx, name)
    if not tx.run("DELETE FROM team_member WHERE team = ? AND account_id = ?", team.name, account_id):
        raise Refused(Reason.NO_SUCH_ACCOUNT, f"not in the team {team.name}")
    _hint(tx, team.name)


def remove(tx: Tx, name: str) -> None:
    """With the rights that it had: a later team of that name must not find them.

    Raises:
        Refused(NO_SUCH_ACCOUNT).
    """
    team = get(tx, name)
    _hint(tx, team.name)
    tx.run("DELETE FROM access WHERE who IN (?, ?)", MARK + team.name, f"-{MARK}{team.name}")
    tx.run("DELETE FROM access_more WHERE who = ?", MARK + team.name)
    tx.run("DELETE FROM team WHERE name = ?", team.name)
    directory.changed(tx)


def _hint(tx: Tx, name: str) -> None:
    rows = tx.all(
        "SELECT DISTINCT f.account_id, f.id FROM access a JOIN folder f ON f.id = a.folder_id"
        " WHERE a.who IN (?, ?)", MARK + name, f"-{MARK}{name}",
    )  # fmt: skip
    for account_id, folder_id in rows:
        tx.hint(AccountId(account_id), FolderId(folder_id))
