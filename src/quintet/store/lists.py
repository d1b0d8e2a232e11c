"""Mailing lists: who owns one, who is on it, and whose mail came back too often.

What a post becomes and what commands mean is delivery's.  A list has one address for posts and one for each
role; all are rows of `address`, so that they resolve as any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from quintet.errors import Reason, Refused
from quintet.store import accounts, directory, queue
from quintet.store.db import Tx, bounded
from quintet.values import dataclass

ROLES = ("request", "owner", "bounces", "subscribe", "unsubscribe", "confirm")  # RFC 2142 6: -request
POST = ("anyone", "members", "owners")
OTHERS = ("moderate", "refuse")
JOINING = ("confirm", "closed")
REWRITE = ("no", "munge", "wrap")
REWRITE_WHEN = ("policy", "always")
ACTIVE, PAUSED, DEAD = "active", "paused", "dead"
DAY_MS = 86_400_000
FORGIVEN_MS = 14 * DAY_MS  # without a bounce, and the count begins anew

_COLUMNS = (
    "id, address, title, owners, post, others, joining, reply_to, tag, max_size, max_bounces,"
    " created_at, rewrite, rewrite_when"
)
_ADDRESS = re.compile(r"[^\s@<>\",;:\\()\[\]]+@[^\s@<>\",;:\\()]+")


@dataclass(frozen=True, slots=True)
class MailingList:
    """One list."""

    id: int
    address: str
    title: str
    owners: str  # addresses, spaces between
    post: str  # who may post at once: one of `POST`
    others: str  # what becomes of the rest: one of `OTHERS`
    joining: str  # by mail: one of `JOINING`
    reply_to: str  # "list", or "" for the author
    tag: str  # put before the subject in brackets; "" for none
    max_size: int  # bytes of a post; 0: no limit
    max_bounces: int  # days with bounces after which a member gets nothing more; 0: never
    created_at: int
    rewrite: str = "no"  # of From: one of `REWRITE`
    rewrite_when: str = "policy"  # one of `REWRITE_WHEN`

    def role(self, role: str) -> str:
        """The list's address of a role."""
        local, _, domain = self.address.rpartition("@")
        return f"{local}-{role}@{domain}"


@dataclass(frozen=True, slots=True)
class Member:
    """Who gets the posts."""

    id: int
    address: str
    state: str  # ACTIVE, PAUSED, DEAD
    bounces: int  # days on which something came back
    bounced_at: int
    joined_at: int


def normal(address: str) -> str:
    """A member's address as it is kept and compared.  Raises Refused(BAD_NAME)."""
    if not _ADDRESS.fullmatch(address) or len(address) > 320:
        raise Refused(Reason.BAD_NAME, address)
    local, _, domain = address.rpartition("@")
    return f"{accounts.normal_local(local)}@{accounts.normal_domain(domain)}"


def create(tx: Tx, address: str, owners: Sequence[str]) -> MailingList:
    """A new list, with the addresses of its roles.

    Raises:
        Refused(NO_SUCH_DOMAIN | ALREADY_EXISTS): not our domain; one of the addresses is taken.
        Refused(BAD_NAME): an address is none, or nobody owns it.
    """
    local, at, domain = address.rpartition("@")
    if not at or not local or not owners or accounts.SEPARATOR in local:
        raise Refused(Reason.BAD_NAME, address)
    address = f"{accounts.normal_local(local)}@{accounts.normal_domain(domain)}"
    number = tx.new_ids(1)
    tx.run(
        "INSERT INTO mailing_list (id, address, owners, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (address) DO NOTHING",
        number, address, " ".join(map(normal, owners)), tx.now,
    )  # fmt: skip
    made = get(tx, address)
    if made.id != number:
        raise Refused(Reason.ALREADY_EXISTS, address)
    for role in ("post", *ROLES):
        name = address if role == "post" else made.role(role)
        local, _, domain = name.rpartition("@")
        if tx.one("SELECT 1 FROM address WHERE domain = ? AND local = ?", domain, local) is not None:
            raise Refused(Reason.ALREADY_EXISTS, name)
        accounts.add_address(tx, None, name, "list", f"{number} {role}")
    return made


def find(tx: Tx, number: int) -> MailingList | None:
    row = tx.one(f"SELECT {_COLUMNS} FROM mailing_list WHERE id = ?", number)
    return None if row is None else MailingList(*row)


def get(tx: Tx, address: str) -> MailingList:
    """By its address.  Raises Refused(NO_SUCH_ADDRESS)."""
    row = tx.one(f"SELECT {_COLUMNS} FROM mailing_list WHERE address = ?", address.lower())
    if row is None:
        raise Refused(Reason.NO_SUCH_ADDRESS, address)
    return MailingList(*row)


def listing(tx: Tx) -> list[tuple[MailingList, int]]:
    """All lists, with how many get their posts."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM mailing_list ORDER BY address")
    return [
        (
            MailingList(*row),
            tx.value("SELECT count(*) FROM list_member WHERE list_id = ? AND state = 'active'", row[0]),
        )
        for row in rows
    ]


def change(tx: Tx, number: int, **values: str | int) -> None:
    """Sets columns: title, owners, post, others, joining, reply_to, tag, max_size, max_bounces,
    rewrite, rewrite_when.

    Raises:
        Refused(BAD_NAME): not a value that a column has.
    """
    allowed = {
        "post": POST,
        "others": OTHERS,
        "joining": JOINING,
        "reply_to": ("", "list"),
        "rewrite": REWRITE,
        "rewrite_when": REWRITE_WHEN,
    }
    for name, value in values.items():
        if value not in allowed.get(name, (value,)):
            raise Refused(Reason.BAD_NAME, str(value))
        assert name in _COLUMNS.split(", ")  # never from outside: it stands in the statement
        tx.run(f"UPDATE mailing_list SET {name} = ? WHERE id = ?", value, number)
    directory.changed(tx)


def remove(tx: Tx, number: int) -> int:
    """With its members and addresses; returns how many members there were."""
    found = find(tx, number)
    if found is None:
        raise Refused(Reason.NO_SUCH_ADDRESS)
    count: int = tx.value("SELECT count(*) FROM list_member WHERE list_id = ?", number)
    for name in (found.address, *map(found.role, ROLES)):
        local, _, domain = name.rpartition("@")
        tx.run("DELETE FROM address WHERE domain = ? AND local = ? AND kind = 'list'", domain, local)
    tx.run("DELETE FROM mailing_list WHERE id = ?", number)
    directory.changed(tx)
    return count


# members


@bounded()
def join(tx: Tx, number: int, address: str) -> bool:
    """Adds a member, or lets one that was off get posts again; False when nothing changed.

    Raises Refused(BAD_NAME).
    """
    address = normal(address)
    member = member_of(tx, number, address)
    if member is None:
        tx.run(
            "INSERT INTO list_member (id, list_id, address, joined_at) VALUES (?, ?, ?, ?)",
            tx.new_ids(1), number, address, tx.now,
        )  # fmt: skip
        return True
    tx.run("UPDATE list_member SET state = 'active', bounces = 0, bounced_at = 0 WHERE id = ?", member.id)
    return member.state != ACTIVE


@bounded()
def leave(tx: Tx, number: int, address: str) -> bool:
    """False when there was no such member."""
    member = member_of(tx, number, address)
    return member is not None and tx.run("DELETE FROM list_member WHERE id = ?", member.id) > 0


def pause(tx: Tx, number: int, address: str) -> None:
    """Sends no posts to a member until `join`.  Raises Refused(NO_SUCH_ADDRESS)."""
    member = member_of(tx, number, address)
    if member is None:
        raise Refused(Reason.NO_SUCH_ADDRESS, address)
    tx.run("UPDATE list_member SET state = 'paused' WHERE id = ?", member.id)


def member_of(tx: Tx, number: int, address: str) -> Member | None:
    """By the address, without case; None for what is none."""
    try:
        address = normal(address)
    except Refused:
        return None
    row = tx.one(
        "SELECT id, address, state, bounces, bounced_at, joined_at FROM list_member"
        " WHERE list_id = ? AND address = ?", number, address,
    )  # fmt: skip
    return None if row is None else Member(*row)


def of(tx: Tx, address: str) -> list[str]:
    """Addresses of the lists that an address is on, as it is kept."""
    rows = tx.all(
        # the left side of a CROSS JOIN is read first: a probe for each list, of which there are few
        "SELECT l.address FROM mailing_list l CROSS JOIN list_member m"
        " WHERE m.list_id = l.id AND m.address = ? ORDER BY l.address", address,
    )  # fmt: skip
    return [found for (found,) in rows]


def members(tx: Tx, number: int, *, after: int = 0, limit: int = 1000, state: str = "") -> list[Member]:
    """By id, above ``after``; of one state when asked."""
    where, params = ("AND state = ?", (state,)) if state else ("", ())
    rows = tx.all(
        "SELECT id, address, state, bounces, bounced_at, joined_at FROM list_member"
        f" WHERE list_id = ? AND id > ? {where} ORDER BY id LIMIT ?", number, after, *params, limit,
    )  # fmt: skip
    return [Member(*row) for row in rows]


@bounded()
def bounced(tx: Tx, number: int, address: str) -> str:
    """Counts a day on which a member's mail came back; returns the state after it, "" for no member."""
    member, found = member_of(tx, number, address), find(tx, number)
    if member is None or found is None:
        return ""
    if member.bounced_at // DAY_MS == tx.now // DAY_MS:
        return member.state
    count = 1 if tx.now - member.bounced_at > FORGIVEN_MS else member.bounces + 1
    state = DEAD if 0 < found.max_bounces <= count and member.state == ACTIVE else member.state
    tx.run(
        "UPDATE list_member SET bounces = ?, bounced_at = ?, state = ? WHERE id = ?",
        count, tx.now, state, member.id,
    )  # fmt: skip
    return state


# posts that wait for an owner


def waiting(number: int) -> str:
    """Why a post is held: the words of the queue."""
    return f"list {number}"


def held(tx: Tx, found: MailingList) -> list[queue.Recipient]:
    """Posts that wait for an owner's word."""
    return [one for one in queue.listing(tx, 1000, state=queue.HELD) if one.hold_reason == waiting(found.id)]


@bounded()
def approve(tx: Tx, found: MailingList, number: int) -> bool:
    """Lets a held post go out; False when it is no post that waits there."""
    if not _waits(tx, found, number):
        return False
    one = queue.RecipientId(number)
    params = {**queue.get(tx, one).params, "approved": True}
    tx.run("UPDATE queue_recipient SET params = ? WHERE id = ?", json.dumps(params), one)
    queue.retry(tx, one)
    return True


@bounded()
def reject(tx: Tx, found: MailingList, number: int) -> bool:
    """Throws a held post away; False when it is no post that waits there."""
    if not _waits(tx, found, number):
        return False
    queue.remove(tx, queue.RecipientId(number))
    return True


def _waits(tx: Tx, found: MailingList, number: int) -> bool:
    try:
        one = queue.get(tx, queue.RecipientId(number))
    except Refused:
        return False
    return one.state == queue.HELD and one.hold_reason == waiting(found.id)
