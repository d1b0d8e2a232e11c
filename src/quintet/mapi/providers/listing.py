"""What follows from rows alone: changes between two listings, names that are resolved, rows from bags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from quintet.mapi import pr
from quintet.mapi.bag import Bag, Key
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.types import Value

if TYPE_CHECKING:
    from quintet.mapi.providers.base import Rows

MAX_FOUND = 100  # entries that one name may mean; more help nobody who has to choose
MAX_STATE = 256 * 1024 * 1024  # bytes of a state: a million messages
READ = 1  # MSGFLAG_READ, MS-OXCMSG 2.2.1.6

_State = dict[bytes, tuple[bytes, bool]]
_decode = msgspec.msgpack.Decoder(dict[bytes, tuple[bytes, bool]]).decode


class BagRows:
    """Rows that stand in memory, in their order."""

    def __init__(self, bags: Mapping[bytes, Bag]) -> None:
        self._bags = bags

    def ids(self) -> Sequence[bytes]:
        return list(self._bags)

    def values(self, ids: Sequence[bytes], keys: Sequence[Key]) -> list[list[Value | None]]:
        nothing: Bag = {}
        found = [self._bags.get(one, nothing).get for one in ids]
        return [[get(key) for key in keys] for get in found]


def named(rows: Rows, name: str) -> bytes | None:
    """The row of that display name, whatever its case; None: there is none."""
    ids, wanted = rows.ids(), name.casefold()
    titles = rows.values(ids, [pr.DISPLAY_NAME])
    return next(
        (one for one, (title,) in zip(ids, titles, strict=True) if str(title).casefold() == wanted), None
    )


def compare(
    rows: Rows, state: bytes, touched: tuple[Sequence[bytes], Sequence[bytes]] | None = None
) -> tuple[bytes, list[bytes], list[tuple[bytes, bool]], list[bytes]]:
    """The new state, and what changed, was read or unread, or went since the old one; b"" is the beginning.

    ``touched``: all that may have changed, and all that may have gone, where that is known.  Raises
    MapiError(CORRUPT_DATA): ``state`` is none that this function gave.
    """
    before = _parse(state)
    ids = rows.ids() if touched is None else touched[0]
    listed = rows.values(ids, [pr.CHANGE_KEY, pr.MESSAGE_FLAGS])
    now: _State = {
        one: (bytes(key or b""), bool((flags or 0) & READ))
        for one, (key, flags) in zip(ids, listed, strict=True)
    }
    changed: list[bytes] = []
    read: list[tuple[bytes, bool]] = []
    for one, (key, is_read) in now.items():
        old = before.get(one)
        if old is None or old[0] != key:
            changed.append(one)
        elif old[1] != is_read:
            read.append((one, is_read))
    if touched is None:
        gone = [one for one in before if one not in now]
    else:
        gone = [one for one in touched[1] if one in before]
        left = set(gone)
        now = {one: known for one, known in before.items() if one not in left} | now
    return msgspec.msgpack.encode(now), changed, read, gone


def _parse(state: bytes) -> _State:
    if not state:
        return {}
    try:
        if len(state) <= MAX_STATE:
            return _decode(state)
    except msgspec.DecodeError:
        pass
    raise MapiError(Code.CORRUPT_DATA, "no state that `changes` gave")


def resolve(rows: Rows, text: str) -> list[bytes]:
    """Ambiguous name resolution (MS-OXNSPI 3.1.4.7): who is called so, or whose words begin so.

    An address, an account or a whole name that fits exactly is preferred to beginnings.
    """
    wanted = text.strip().casefold()
    if wanted.startswith("="):  # by convention: exactly this
        wanted = wanted[1:]
        exactly = True
    else:
        exactly = False
    wanted = wanted.removeprefix("smtp:")
    if not wanted:
        return []
    ids = rows.ids()
    keys: list[Key] = [pr.DISPLAY_NAME, pr.SMTP_ADDRESS, pr.EMAIL_ADDRESS, pr.ACCOUNT, pr.NICKNAME]
    exact, near = [], []
    for one, values in zip(ids, rows.values(ids, keys), strict=True):
        texts = [value.casefold() for value in values if value]
        if wanted in texts:
            exact.append(one)
        elif not exactly and any(_begins(each, wanted) for each in texts):
            near.append(one)
    return (exact or near)[:MAX_FOUND]


def _begins(text: str, wanted: str) -> bool:
    """Each word of ``wanted`` begins a word of ``text``, in order."""
    if text.startswith(wanted):
        return True
    words = iter(text.replace(",", " ").split())
    return all(any(word.startswith(part) for word in words) for part in wanted.replace(",", " ").split())
