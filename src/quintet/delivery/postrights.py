"""Who may post what into which group: rights, the group's status, and what may who posts for others.

That somebody may post into some groups is kept for a while (`Permits`), and looked at again in the
transaction that files the article: a right that is taken away counts at once, and is read once for many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from quintet.auth.identity import Identity
from quintet.errors import Reason, Refused
from quintet.store import access, accounts, groups
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder, FolderId
from quintet.values import dataclass

MAX_PERMITS = 1000  # kept by a process


class Grants(Protocol):
    """What rules beside the store's own say of groups, by name: `True` for may."""

    @property
    def post(self) -> Callable[[str], bool]: ...
    @property
    def approve(self) -> Callable[[str], bool]: ...
    @property
    def locally(self) -> Callable[[str], bool]:
        """To groups whose status takes no articles from here."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """One group of Newsgroups that is here."""

    folder: Folder
    may_post: bool
    may_approve: bool
    locally: bool = False  # whatever its status


def targets_of(
    tx: Tx, names: Sequence[str], identity: Identity | None, grants: Grants | None = None
) -> list[Target]:
    """Those of the groups that are here, with what the poster may do in them."""
    account_id = identity.account_id if identity is not None else None
    found = []
    for name in names:
        folder = groups.find(tx, name)
        if folder is not None:
            letters = access.of_folder(tx, account_id, folder)
            found.append(
                Target(
                    folder,
                    _may_post(tx, account_id, folder, letters) and (grants is None or grants.post(name)),
                    _may_approve(tx, account_id, folder, letters)
                    or (grants is not None and grants.approve(name)),
                    grants is not None and grants.locally(name),
                )
            )
    return found


def _may_post(tx: Tx, account_id: AccountId | None, folder: Folder, letters: str) -> bool:
    if "p" in letters or "i" in letters:
        return True
    # whoever may post without logging in may do so in every group that has no rights of its own
    return account_id is None and not access.listing(tx, folder.id)


def _may_approve(tx: Tx, account_id: AccountId | None, folder: Folder, letters: str) -> bool:
    """Who has the right to insert, and who the group's moderator is."""
    if "i" in letters:
        return True
    return (
        account_id is not None
        and bool(folder.moderator)
        and accounts.owns_address(tx, account_id, folder.moderator)
    )


def refuse_closed(target: Target) -> None:
    """RFC 6048 3.1: the status of a group that takes no local articles."""
    name, status = target.folder.name, target.folder.status
    if status.startswith("="):
        raise Refused(Reason.NO_PERMISSION, f"Group {name} has been renamed to {status[1:]}")
    if (status in ("n", "x", "j") and not target.locally) or not target.may_post:
        raise Refused(Reason.NO_PERMISSION, f"Posting to {name} is not allowed")


class Permit:
    """That somebody may post into some groups, and that none of these has a moderator."""

    __slots__ = ("_grants", "_identity", "_wanted", "ids", "names")

    def __init__(
        self,
        wanted: Sequence[str],
        targets: Sequence[Target],
        identity: Identity | None,
        grants: Grants | None,
    ) -> None:
        """``wanted`` are the names in Newsgroups, ``targets`` those of them that are here."""
        self._wanted, self._identity, self._grants = wanted, identity, grants
        self.names = tuple([one.folder.name for one in targets])
        self.ids: tuple[FolderId, ...] = tuple([one.folder.id for one in targets])

    def holds(self, tx: Tx) -> bool:
        """Whether that is so still, of the same groups."""
        targets = targets_of(tx, self._wanted, self._identity, self._grants)
        return self.ids == tuple([one.folder.id for one in targets]) and open_to(targets)


def open_to(targets: Sequence[Target]) -> bool:
    """Whether there are groups, and all of them take an article that nobody approved."""
    try:
        for one in targets:
            refuse_closed(one)
    except Refused:
        return False
    return bool(targets) and all(one.folder.status != "m" for one in targets)


class Permits:
    """Those that were needed lately."""

    def __init__(self) -> None:
        self._held: dict[tuple[bytes, AccountId | None, Grants | None], Permit] = {}

    def find(self, newsgroups: bytes, identity: Identity | None, grants: Grants | None) -> Permit | None:
        """By the value of Newsgroups, and who posts under which rules; None: nobody has looked lately."""
        return self._held.get((newsgroups, identity.account_id if identity else None, grants))

    def keep(
        self, newsgroups: bytes, identity: Identity | None, grants: Grants | None, permit: Permit
    ) -> None:
        if len(self._held) >= MAX_PERMITS:
            self._held.clear()
        self._held[newsgroups, identity.account_id if identity else None, grants] = permit

    def forget(self, permit: Permit) -> None:
        """It holds no more."""
        self._held = {asked: one for asked, one in self._held.items() if one is not permit}
