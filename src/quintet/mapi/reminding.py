"""What the Reminders folder looks for (MS-OXOSFLD): what reminds, or comes again and so may remind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from quintet.mapi import match, pr, restrict
from quintet.mapi.convert.calkeys import RECURRING, REMINDER_SET
from quintet.mapi.restrict import And, Exist, Not, Or, Property, Relation, Restriction
from quintet.mapi.types import Tag

ROLES: Final = ("trash", "junk", "drafts", "outbox")
"""Folders whose messages remind of nothing."""
KEYS: Final = (REMINDER_SET, RECURRING)

_SUBMITTED = 0x4  # of PidTagMessageFlags


def asked(tags: Sequence[Tag | None], apart: Iterable[bytes]) -> Restriction:
    """``tags``: those of `KEYS`, None for one that nothing has yet; ``apart``: entry ids of folders."""
    elsewhere = [
        Property(Relation.NOT_EQUAL, pr.PARENT_ENTRYID, (pr.PARENT_ENTRYID, entry)) for entry in apart
    ]
    set_, again = tags
    reminding: list[Restriction] = []
    if set_ is not None:
        reminding.append(Property(Relation.EQUAL, set_, (set_, True)))
    if again is not None:
        reminding.append(And((Exist(again), Property(Relation.EQUAL, again, (again, True)))))
    kind = pr.MESSAGE_CLASS
    schedule = restrict.Content(restrict.Where.PREFIX, match.IGNORE_CASE, kind, (kind, "IPM.Schedule"))
    return And((
        And(tuple(elsewhere)),
        And((
            Not(And((Exist(kind), schedule))),
            restrict.Bitmask(False, pr.MESSAGE_FLAGS, _SUBMITTED),
            Or(tuple(reminding)),
        )),
    ))  # fmt: skip
