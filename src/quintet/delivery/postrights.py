"""Who may post what into which group: rights, the group's status, and what may who posts for others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from quintet.auth.identity import Identity
from quintet.errors import Reason, Refused
from quintet.store import access, accounts, groups
from quintet.store.db import Tx
from quintet.store.model import AccountId, Folder


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
