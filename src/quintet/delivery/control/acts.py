"""Filing an article together with what it asks for, in one transaction.

`file` is where POST, APPEND, mail and feeds meet: an article lies in its groups, and its cancel has been
done, or neither is the case; so an effect happens exactly once, whichever worker takes the article.  What
needs more than a transaction (a signature, letters) is written down as a task in it.

Who may cancel (RFC 5537 5.3, RFC 8315 3): see `allowed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quintet.config.news import News
from quintet.delivery.control import orders
from quintet.delivery.control.orders import Order
from quintet.delivery.postrights import Permit
from quintet.errors import Reason
from quintet.message import cancellock
from quintet.message.digest import Digest
from quintet.store import (
    access,
    accounts,
    arriving,
    cancels,
    controltasks,
    entries,
    folders,
    groups,
    history,
    trace,
)
from quintet.store.arriving import Filing
from quintet.store.content import Content
from quintet.store.db import Tx, bounded
from quintet.store.model import NEWS, AccountId, Added, Folder, FolderId, MessageId
from quintet.values import dataclass

CONTROL = "control"  # the group of control messages that have no group of their own
POSTED_AT_ONCE = 64  # articles of `post_all`; more of them would hold the loop too long
TASKS = orders.GROUPS | orders.OLD | {orders.NOCEM, "unknown"}


@dataclass(frozen=True, slots=True)
class Who:
    """From whom an article comes, as far as we vouch for it."""

    conn: str = ""
    account_id: AccountId | None = None  # who logged in and posted it here


NOBODY = Who()


@bounded(lambda group_ids, *_, **__: len(group_ids) <= 32)
def file(
    tx: Tx,
    group_ids: Sequence[FolderId],
    content: Content,
    *,
    path: bytes,
    host: str,
    received_at: int,
    message_id: str = "",
    trace_note: trace.Note | None = None,
    rules: News | None,
    who: Who = NOBODY,
) -> list[Added]:
    """`groups.file`, and what the article asks for with it; without ``rules`` nothing but that.

    A control message goes into the group "control.<verb>", or into "control", and not into ``group_ids``.
    Returns one place a group.  Nothing when a cancel came before the article: then its id alone is kept,
    and it is known from now on.

    Raises as `groups.file`.
    """
    message_id = message_id or content.message_id
    if rules is not None and _came_too_late(tx, message_id, content.digest, rules, who):
        return []
    order = orders.read(content.digest, rules.noticed) if rules is not None else None
    if order is not None and order.is_control:
        group_ids = [place(tx, order.verb).id]
    added = groups.file(
        tx,
        group_ids,
        content,
        path=path,
        host=host,
        received_at=received_at,
        message_id=message_id,
        trace_note=trace_note,
    )
    if order is not None and rules is not None:
        act(tx, order, message_id, rules, who)
    return added


@bounded(lambda filings, *_, **__: len(filings) <= arriving.AT_ONCE)
def file_all(
    tx: Tx,
    filings: Sequence[Filing],
    wishes: Mapping[int, Order],
    *,
    host: str,
    rules: News,
    conn: str,
    remembered: Sequence[str] = (),
) -> list[MessageId | Reason]:
    """`arriving.file_all`, and what the articles ask for (``wishes``, by their place) with it.

    An article that was cancelled before it came counts as a duplicate: its id is known from now on.
    """
    early = cancels.early_among(tx, [one.message_id for one in filings])
    who = Who(conn)
    gone = [
        one.message_id in early and _came_too_late(tx, one.message_id, one.content.digest, rules, who)
        for one in filings
    ]
    if any(gone):
        kept = [one for one, is_gone in zip(filings, gone, strict=True) if not is_gone]
        rest = iter(arriving.file_all(tx, kept, host=host, remembered=remembered))
        results = [Reason.DUPLICATE if is_gone else next(rest) for is_gone in gone]
    else:
        results = arriving.file_all(tx, filings, host=host, remembered=remembered)
    for at, order in wishes.items():
        if not isinstance(results[at], Reason):
            act(tx, order, filings[at].message_id, rules, who)
    return results


Post = tuple[Filing, trace.Note, Permit | None]
"""An article, its line of the trace, and what must still hold when it is filed."""


@bounded(lambda posted, **_: len(posted) <= POSTED_AT_ONCE)
def post_all(tx: Tx, posted: Sequence[Post], *, host: str) -> list[list[Added] | None]:
    """`file` of articles that ask for nothing; their places.

    None for one that was not filed, whatever the reason: `file` tells it.
    """
    early = cancels.early_among(tx, [one.message_id for one, _, _ in posted])
    permits = {permit: permit is None or permit.holds(tx) for permit in {permit for _, _, permit in posted}}
    kept = [
        at for at, (one, _, permit) in enumerate(posted) if one.message_id not in early and permits[permit]
    ]
    added: dict[MessageId, list[Added]] = {}
    rows = arriving.file_all(tx, [posted[at][0] for at in kept], host=host, added=added)
    results: list[list[Added] | None] = [None] * len(posted)
    notes = []
    for at, row in zip(kept, rows, strict=True):
        if not isinstance(row, Reason):
            one, note, _ = posted[at]
            results[at] = added[row]
            notes.append((note, row, one.message_id, added[row]))
    trace.note_articles(tx, notes)
    return results


def place(tx: Tx, verb: str) -> Folder:
    """The group where control messages of a kind are filed; "control" is made when there is none."""
    found = groups.find(tx, f"{CONTROL}.{verb}") or groups.find(tx, CONTROL)
    return found or groups.create(tx, CONTROL, "n", "Control messages", created_by="server")


def act(tx: Tx, order: Order, message_id: str, rules: News, who: Who = NOBODY) -> None:
    """What an article that was just filed asks for."""
    if order.verb in (orders.CANCEL, orders.SUPERSEDES):
        _cancel(tx, order, message_id, rules, who)
    elif order.verb in TASKS:
        row = history.find(tx, message_id)
        if row is not None:
            controltasks.add(tx, row, message_id, order.verb)
    # ihave and sendme: RFC 5537 5.5 lets them be passed over


def _cancel(tx: Tx, order: Order, by_id: str, rules: News, who: Who) -> None:
    target = order.target
    if not target or target == by_id or rules.docancels == "none":
        return
    row = history.find(tx, target)
    if row is None:
        if not history.known(tx, target):
            _before_it_came(tx, order, target, by_id, rules)
        elif _held_back(tx, target, rules):
            cancels.keep_early(tx, target, by_id, order.author, order.keys)  # judged if it is let go
        return
    detail: dict[str, Any] = {"by": by_id, "how": order.verb, "author": order.author}  # Any: JSON
    why = allowed(tx, order, entries.digest(tx, row), row, rules, who)
    if why:
        detail["why"] = why
    else:
        detail["groups"] = cancels.remove(tx, row)
    event = "cancel refused" if why else "cancelled"
    trace.add(tx, tx.now, who.conn, event, who.account_id, target, detail, message_row=row)


CANCELLED_AT_ONCE = 100


@bounded(lambda ids, **_: len(ids) <= CANCELLED_AT_ONCE)
def cancel_by_hand(tx: Tx, ids: Sequence[str], *, conn: str, by: str) -> int:
    """Takes articles away because somebody in charge says so; in how many groups they were.

    What is not here will not be taken any more.
    """
    count = 0
    for message_id in ids:
        row = history.find(tx, message_id)
        if row is None:
            history.remember(tx, message_id)
            continue
        places = cancels.remove(tx, row)
        detail = {"by": by, "how": "by hand", "groups": places}
        count += places
        trace.add(tx, tx.now, conn, "cancelled", None, message_id, detail, message_row=row)
    return count


def _before_it_came(tx: Tx, order: Order, target: str, by_id: str, rules: News) -> None:
    """RFC 5537 5.3: kept until the article comes; where any cancel is heeded, its id is enough."""
    if rules.docancels == "all":
        history.remember(tx, target)
    else:
        cancels.keep_early(tx, target, by_id, order.author, order.keys)


def _held_back(tx: Tx, message_id: str, rules: News) -> bool:
    """Whether an article lies in quarantine: its id is known, and it may come out."""
    owner = accounts.find(tx, NEWS)
    place = folders.find(tx, owner.id, rules.quarantine) if owner is not None else None
    if owner is None or place is None or not place.messages:
        return False
    return any(one.folder_id == place.id for one in entries.by_message_id(tx, owner.id, message_id))


def _came_too_late(tx: Tx, message_id: str, digest: Digest, rules: News, who: Who) -> bool:
    """Whether an article was cancelled before it came; then its id is known from now on."""
    claims = cancels.early(tx, message_id)
    if not claims:
        return False
    cancels.forget_early(tx, message_id)
    for one in claims:
        order = Order(orders.CANCEL, (message_id,), one.author, "", one.keys, False)
        if not allowed(tx, order, digest, None, rules, NOBODY):
            history.remember(tx, message_id)
            detail = {"by": one.by_id, "how": "before it came"}
            trace.add(tx, tx.now, who.conn, "cancelled", None, message_id, detail)
            return True
    return False


def allowed(tx: Tx, order: Order, target: Digest, row: MessageId | None, rules: News, who: Who) -> str:
    """Why an article may not be cancelled by ``order``; "" when it may.

    A key that opens one of its locks is always enough.  So is, for who logged in here, the right to expunge
    in every group where the article lies (RFC 5537 5.3: moderators and administrators).  Without a lock its
    author may, told by the address of From or Sender, because there is nothing better.
    """
    if rules.docancels == "none":
        return "cancels are not heeded"
    locks = orders.text(target, "Cancel-Lock")
    if rules.docancels == "all" or cancellock.opens(order.keys, locks):
        return ""
    if row is not None and who.account_id is not None and _may_erase(tx, who.account_id, row):
        return ""
    if locks:
        return "no key opens its lock"
    if rules.docancels == "require-auth":
        return "it has no lock"
    if rules.third_party_cancels:
        return ""
    authors = {orders.author(target), orders.address(target, "Sender")} - {""}
    return "" if authors & {order.author, order.sender} else "not by its author"


def _may_erase(tx: Tx, account_id: AccountId, row: MessageId) -> bool:
    found = cancels.places(tx, row)
    return bool(found) and all(
        "e" in access.of_folder(tx, account_id, folders.get(tx, folder_id)) for folder_id, _ in found
    )
