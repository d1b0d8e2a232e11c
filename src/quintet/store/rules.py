"""Rules of folders: what is to be done with letters that come into one; kept, counted, not understood here.

A rule's condition and actions are packed by whoever evaluates them.  Which folders have a say in what comes
is asked for each letter: two probes of indexes, for its rules and for what goes elsewhere by its class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from quintet.errors import Reason, Refused
from quintet.store import dialect, folders
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId
from quintet.values import dataclass

MAX_RULES: Final = 500  # of a folder
MAX_BYTES: Final = 256 * 1024  # of all rules of a folder; the most that Exchange allows (MS-OXORULE 3.2.5.2)
MAX_TOLD: Final = 10_000  # addresses that are remembered of a rule
NO_LETTERS: Final = "ipc"  # the class of messages between programs; no letter arrives where these do

_COLUMNS = (
    "id, folder_id, sequence, state, name, provider, level, user_flags, provider_data, condition, actions"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``id`` 0 before it is kept.  None: nobody said."""

    id: int
    folder_id: FolderId
    sequence: int = 0
    state: int = 0
    name: str | None = None
    provider: str | None = None
    level: int | None = None
    user_flags: int | None = None
    provider_data: bytes | None = None
    condition: bytes | None = None
    actions: bytes | None = None

    @property
    def size(self) -> int:
        texts = [one.encode("utf-8", "replace") for one in (self.name, self.provider) if one]
        return sum([len(one) for one in (*texts, self.provider_data, self.condition, self.actions) if one])


def listing(tx: Tx, folder_id: FolderId) -> list[Rule]:
    """In the order in which they are tried."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM rule WHERE folder_id = ? ORDER BY sequence, id", folder_id)
    return [Rule(*row[:8], *[None if one is None else bytes(one) for one in row[8:]]) for row in rows]


def any_in(tx: Tx, folder_id: FolderId) -> bool:
    """Whether a folder has rules."""
    return tx.one("SELECT 1 FROM rule WHERE folder_id = ? LIMIT 1", folder_id) is not None


def replace(tx: Tx, folder_id: FolderId, wanted: Sequence[Rule]) -> list[int]:
    """These are the folder's rules now; the numbers that they have, in their order.

    Those that were there and are the same keep whom they have told.
    Raises Refused(TOO_MANY): more than `MAX_RULES` or `MAX_BYTES`; Refused(NO_SUCH_FOLDER).
    """
    if len(wanted) > MAX_RULES or sum([one.size for one in wanted]) > MAX_BYTES:
        raise Refused(Reason.TOO_MANY, "more rules than a folder may have")
    present = {one.id: one for one in listing(tx, folder_id)}
    kept = {one.id for one in wanted}
    tx.many("DELETE FROM rule WHERE id = ?", [(number,) for number in present if number not in kept])
    found = []
    for one in wanted:
        found.append(one.id if one.id in present else tx.new_ids(1))
        if present.get(one.id) == one:
            continue
        tx.run(
            f"INSERT INTO rule ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, state = excluded.state,"
            " name = excluded.name, provider = excluded.provider, level = excluded.level,"
            " user_flags = excluded.user_flags, provider_data = excluded.provider_data,"
            " condition = excluded.condition, actions = excluded.actions",
            found[-1], folder_id, one.sequence, one.state, one.name, one.provider, one.level, one.user_flags,
            one.provider_data, one.condition, one.actions,
        )  # fmt: skip
    folders.touch(tx, folder_id)
    return found


def set_bits(tx: Tx, number: int, bits: int) -> bool:
    """Sets bits of a rule's state; False: they were all set, or it is gone."""
    return bool(
        tx.run("UPDATE rule SET state = state | ? WHERE id = ? AND state & ? <> ?", bits, number, bits, bits)
    )


_HAS_SAY = (
    "SELECT EXISTS (SELECT 1 FROM rule WHERE folder_id = ? AND state & 1 = 1)"
    " OR EXISTS (SELECT 1 FROM folder f JOIN arrival_place a ON a.account_id = f.account_id"
    " WHERE f.id = ? AND f.role = 'inbox' AND a.folder_id <> f.id AND a.class <> ?)"
)


_ANY_SAY = "SELECT 1 WHERE EXISTS (SELECT 1 FROM rule) OR EXISTS (SELECT 1 FROM arrival_place)"


def with_say(tx: Tx, wanted: Iterable[FolderId]) -> set[FolderId]:
    """Those of the folders where what comes is not just filed: rules are enabled, or classes go elsewhere."""
    wanted = tuple(wanted)
    if len(wanted) == 1:  # most letters: a third of the time
        return set(wanted) if tx.value(_HAS_SAY, wanted[0], wanted[0], NO_LETTERS) else set()
    if tx.one(_ANY_SAY) is None:
        return set()
    members, param = dialect.among(tx.engine, wanted)
    rows = tx.all(
        f"SELECT folder_id FROM rule WHERE folder_id {members} AND state & 1 = 1 UNION"
        " SELECT f.id FROM folder f JOIN arrival_place a ON a.account_id = f.account_id"
        f" WHERE f.id {members} AND f.role = 'inbox' AND a.folder_id <> f.id AND a.class <> ?",
        param, param, NO_LETTERS,
    )  # fmt: skip
    return {FolderId(number) for (number,) in rows}


# --- whom a rule has answered ------------------------------------------------------------------------------


def told(tx: Tx, number: int, address: str) -> tuple[int, int]:
    """When a rule began to count its answers to an address, and how many there were; (0, 0): none."""
    row = tx.one(
        "SELECT told_at, times FROM rule_told WHERE rule_id = ? AND address = ?", number, address.lower()
    )
    return (0, 0) if row is None else (row[0], row[1])


def tell(tx: Tx, number: int, address: str, *, since: int) -> None:
    """A rule answers an address; what was counted before ``since`` is counted no more."""
    if tx.one("SELECT 1 FROM rule WHERE id = ?", number) is None:
        return
    tx.run(
        "INSERT INTO rule_told (rule_id, address, told_at, times) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (rule_id, address) DO UPDATE SET times = CASE WHEN rule_told.told_at < ? THEN 1"
        " ELSE rule_told.times + 1 END, told_at = CASE WHEN rule_told.told_at < ? THEN excluded.told_at"
        " ELSE rule_told.told_at END",
        number, address.lower(), tx.now, since, since,
    )  # fmt: skip
    more = tx.value("SELECT count(*) FROM rule_told WHERE rule_id = ?", number) - MAX_TOLD
    if more > 0:
        tx.run(
            "DELETE FROM rule_told WHERE rule_id = ? AND address IN (SELECT address FROM rule_told"
            " WHERE rule_id = ? ORDER BY told_at LIMIT ?)", number, number, more,
        )  # fmt: skip


def forget_told(tx: Tx, account_id: AccountId) -> None:
    """The rules of an account may answer everybody anew."""
    tx.run(
        "DELETE FROM rule_told WHERE rule_id IN (SELECT r.id FROM rule r JOIN folder f ON f.id = r.folder_id"
        " WHERE f.account_id = ?)", account_id,
    )  # fmt: skip
