"""What is decided about one recipient, and the one transaction that does it for all.

Folders and queue rows of a message are written together, so that a message is taken whole or not at all.
The bytes are stored once, whoever gets them.  Deciding is `inbound`'s and the filters' business.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from quintet.delivery import notify, stamp
from quintet.delivery.directory import ascii_domain
from quintet.delivery.envelope import USUAL, Envelope, Mailbox, Recipient, Wishes, mailbox
from quintet.errors import Problem, Reason, Refused, TryLater
from quintet.store import accounts, db, entries, folders, letters, queue, rules, trace
from quintet.store.content import Content
from quintet.store.db import Tx
from quintet.store.model import Added, FolderId
from quintet.values import dataclass

MAX_INLINE = 100  # recipients; more of them take longer than the loop may be held
MAX_TRACED = 100  # addresses named in one trace row

ONE_RECIPIENT = frozenset(
    (Reason.OVER_QUOTA, Reason.NUMBERS_EXHAUSTED, Reason.NO_SUCH_FOLDER, Reason.NO_SUCH_ACCOUNT)
)
"""Reasons that concern one mailbox; with others the whole message fails."""


@dataclass(frozen=True, slots=True)
class File:
    """Into a folder."""

    folder_id: int
    flags: int = 0
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Into the queue, to other addresses."""

    addresses: tuple[str, ...]
    hold: str = ""  # why it is held there until somebody releases it; "": it is not


@dataclass(frozen=True, slots=True)
class Discard:
    """Taken, and thrown away."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Refused for this recipient: said after the data where the protocol can, else reported to the sender."""

    problem: Problem


Carry = Callable[[Tx, Sequence[Added]], None]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Into the folders that rules want, none or several; ``home`` is the one whose rules they are.

    ``then`` does the rest in the same transaction, with the entries that were made; ``refused``: the queue
    tells the sender so.  Where a folder is gone or full, the message goes home and nothing else is done.
    """

    home: File
    places: tuple[File, ...]
    then: Carry | None = None
    refused: str = ""


Decision = File | Send | Discard | Reject | Sorted


def usual(recipient: Recipient) -> Decision:
    """What happens without any filter."""
    if recipient.folder_id:
        return _home(recipient.folder_id)
    return Send((str(recipient.address),))


@functools.lru_cache(maxsize=1024)
def _home(folder_id: int) -> File:
    return File(folder_id)


class Say(enum.Enum):
    """What becomes of a message that the rules of a folder have a say in."""

    ASK = enum.auto()  # nothing is filed; whoever files it asks them, and comes again
    QUEUE = enum.auto()  # it goes through the queue, whose runner asks them
    NOBODY = enum.auto()  # it is filed as if there were none


@dataclass(frozen=True, slots=True)
class Work:
    """Everything the transaction needs."""

    envelope: Envelope
    content: Content
    decisions: Sequence[Decision]  # in the order of the envelope's recipients
    received: bytes  # Received and what stands above it
    now: int
    expires_at: int
    each: bool = False  # the protocol tells each recipient's outcome (LMTP)
    event: str = "accepted"  # the word in the trace
    careful: bool = False  # look before each write: a first try failed for one of many
    tell: Tell | None = None  # makes the reports about those that are there now (`reports`)
    rules: Say = Say.QUEUE
    claim: queue.Claim | None = None  # the runner that sends at once what is queued
    tries: int = 0  # how often it came back as `Unsorted`


@dataclass(frozen=True, slots=True)
class Unsorted:
    """Nothing was filed: rules have a say in what is filed for these recipients (numbers, ascending)."""

    numbers: Sequence[int]


Tell = Callable[[Sequence[int], bool], Sequence[Work]]
"""Takes numbers of recipients and ``careful``: then a report goes by the queue, into no full mailbox."""


Filed = Callable[..., "list[Problem | None] | Unsorted"]


def call(work: Work) -> tuple[Filed, tuple[Any, ...]]:
    """The transaction function that does this work at the least cost, and its arguments; `file` does any."""
    home = _homeward(work)
    if home is not None:
        return file_letter, home
    away = _onward(work)
    return (file, (work,)) if away is None else (send_on, away)


def _homeward(work: Work) -> Homeward | None:
    """The same work as most letters are: a copy for folders here, nothing else is done and nobody told."""
    decisions = work.decisions
    if not decisions:
        return None
    for one in decisions:
        if type(one) is not File or one.flags or one.keywords:
            return None
    if work.careful or work.claim is not None or work.tell is not None or work.rules is Say.NOBODY:
        return None
    if work.envelope.wishes is not USUAL:
        return None
    homes = tuple([FolderId(one.folder_id) for one in decisions if type(one) is File])
    places = tuple(dict.fromkeys(homes))  # two names of one mailbox: one copy
    prefix = _prefix(work, work.envelope.recipients[-1] if len(places) == 1 else None)
    return letters.Letter(places, work.content, prefix, work.now, _note(work, ())), homes


Homeward = tuple[letters.Letter, tuple[FolderId, ...]]
"""A letter, and the folder of each of its recipients."""


def _file_letters(tx: Tx, calls: Sequence[Homeward]) -> list[list[Problem | None] | Unsorted | db.Alone]:
    """`file_letter` of many."""
    said = rules.with_say(tx, {each for one, _ in calls for each in one.folder_ids})
    plain = [said.isdisjoint(one.folder_ids) for one, _ in calls] if said else [True] * len(calls)
    done = iter(letters.file_all(tx, [one for (one, _), fits in zip(calls, plain, strict=True) if fits]))
    return [
        [None] * len(homes) if fits and next(done) else db.ALONE
        for (_, homes), fits in zip(calls, plain, strict=True)
    ]


@db.together(_file_letters)
@db.bounded(lambda letter, *_: len(letter.folder_ids) <= MAX_INLINE)
def file_letter(tx: Tx, letter: letters.Letter, homes: Sequence[FolderId]) -> list[Problem | None] | Unsorted:
    """`file` of such work; where rules have a say nothing is filed, whatever ``work.rules`` was."""
    said = rules.with_say(tx, letter.folder_ids)
    if said:
        return Unsorted([at for at, each in enumerate(homes) if each in said])
    entries.add(
        tx,
        letter.folder_ids,
        letter.content,
        prefix=letter.prefix,
        received_at=letter.received_at,
        trace_note=letter.note,
    )
    return [None] * len(homes)


Onward = tuple[queue.Put, trace.Note, int]
"""A message for the queue, its line of the trace, how many recipients there are."""


def _onward(work: Work) -> Onward | None:
    """The same work where all of it goes into the queue, from one sender by one way; else None."""
    if work.careful or work.tell is not None:
        return None
    waiting: dict[str, Recipient] = {}
    for recipient, one in zip(work.envelope.recipients, work.decisions, strict=True):
        if type(one) is not Send or one.hold:
            return None
        waiting.update(dict.fromkeys(one.addresses, recipient))
    ways = _ways(waiting, {})
    if len(ways) != 1:
        return None
    (((sender, via), to),) = ways.items()
    put = queue.Put(_item(work, sender, via, to), to, work.claim)
    return put, _note(work, list(waiting)), len(work.decisions)


def _send_on(tx: Tx, calls: Sequence[Onward]) -> list[list[Problem | None] | db.Alone]:
    """`send_on` of many."""
    for put, _, _ in calls:
        if put.claim is not None:
            put.claim.begin()
    done = queue.put_all(tx, [put for put, _, _ in calls])
    noted = [(note, None, _id(put), ()) for (put, note, _), fits in zip(calls, done, strict=True) if fits]
    if noted:
        trace.note_letters(tx, noted)
    return [[None] * count if fits else db.ALONE for (_, _, count), fits in zip(calls, done, strict=True)]


@db.together(_send_on)
@db.bounded(lambda put, *_: len(put.recipients) <= MAX_INLINE)
def send_on(tx: Tx, put: queue.Put, note: trace.Note, count: int) -> list[Problem | None] | Unsorted:
    """`file` of such work."""
    if put.claim is not None:
        put.claim.begin()
    queue.put(tx, *put)
    trace.note(tx, note, message_row=None, message_id=_id(put))
    return [None] * count


def _id(put: queue.Put) -> str:
    assert put.item.content is not None
    return put.item.content.message_id


def _quick(work: Work) -> bool:
    return len(work.decisions) <= MAX_INLINE


@db.bounded(_quick)
def file(tx: Tx, work: Work) -> list[Problem | None] | Unsorted:
    """Carries out all decisions; one outcome a recipient.

    Where rules have a say it does what ``work.rules`` tells.
    Raises what the first write that fails raises.  When that is one of `ONE_RECIPIENT`, the caller asks
    again with ``careful``: then a full mailbox is that recipient's outcome where the protocol can say so,
    else the queue tries it again; TryLater comes only when nobody could be served.
    """
    if work.claim is not None:
        work.claim.begin()
    decisions = work.decisions if work.envelope.wishes is USUAL else _held_back(work)
    unsorted = [] if work.rules is Say.NOBODY else _unsorted(tx, decisions)
    if unsorted and work.rules is Say.ASK:
        return Unsorted(unsorted)
    if unsorted:
        decisions = _to_queue(work, decisions, unsorted)
    if work.careful:
        decisions = [_at_home(tx, work, one) for one in decisions]
    outcomes: list[Problem | None] = [
        decision.problem
        if isinstance(decision, Reject)
        else _trouble(tx, work, decision)
        if work.careful
        else None
        for decision in decisions
    ]
    waiting, refused = _left_over(work, outcomes)
    held: dict[str, str] = {}
    groups: dict[tuple[int, tuple[str, ...]], dict[FolderId, Recipient]] = {}
    ruled: list[tuple[Recipient, Sorted]] = []
    for recipient, decision, outcome in zip(work.envelope.recipients, decisions, outcomes, strict=True):
        if isinstance(decision, File) and outcome is None:
            group = groups.setdefault((decision.flags, decision.keywords), {})
            group[FolderId(decision.folder_id)] = recipient  # two names of one mailbox: one copy
        elif isinstance(decision, Send):
            waiting.update(dict.fromkeys(decision.addresses, recipient))
            if decision.hold:
                held.update(dict.fromkeys(decision.addresses, decision.hold))
        elif isinstance(decision, Sorted) and outcome is None:
            ruled.append((recipient, decision))
            if decision.refused:
                refused[str(recipient.address)] = recipient, decision.refused
    alone = len(groups) == 1 and len(only := next(iter(groups.values()))) == 1
    prefix = _prefix(work, next(iter(only.values())) if alone else None)
    note: trace.Note | None = _note(work, list(waiting))
    for (flags, keywords), places in groups.items():
        entries.add(
            tx,
            list(places),
            work.content,
            prefix=prefix,
            received_at=work.now,
            flags=flags,
            keywords=keywords,
            trace_note=note,
        )
        note = None  # one row a message
    for recipient, decision in ruled:
        note = _file_sorted(tx, work, recipient, decision, note)
    if waiting or refused:
        _queue(tx, work, waiting, refused, held)
    if note is not None:
        trace.note(tx, note, message_row=None, message_id=work.content.message_id)
    if work.tell is not None:
        for report in work.tell(_there(decisions, outcomes), work.careful):
            file(tx, report)
    if not work.each:
        outcomes = [None] * len(outcomes)
    return outcomes


def _prefix(work: Work, recipient: Recipient | None) -> bytes:
    """What stands above a copy; one that several have must not tell one about the others."""
    named = b"" if recipient is None else _named(recipient)
    return stamp.return_path(work.envelope.sender) + named + work.received


def _named(recipient: Recipient) -> bytes:
    """Whom a copy is for that nobody else has."""
    return stamp.delivered_to(recipient.address) + stamp.original_recipient(recipient.orcpt)


def _file_sorted(
    tx: Tx, work: Work, recipient: Recipient, decision: Sorted, note: trace.Note | None
) -> trace.Note | None:
    """A copy of its own in each place, and what the rules want besides; the note that is still to be kept."""
    prefix = _prefix(work, recipient)
    added: list[Added] = []
    for place in decision.places:
        added += entries.add(
            tx,
            [FolderId(place.folder_id)],
            work.content,
            prefix=prefix,
            received_at=work.now,
            flags=place.flags,
            keywords=place.keywords,
            trace_note=note,
        )
        note = None
    if decision.then is not None:
        decision.then(tx, added)
    return note


def _unsorted(tx: Tx, decisions: Sequence[Decision]) -> list[int]:
    """Recipients whose folders have rules that nobody has asked yet."""
    wanted = {FolderId(one.folder_id) for one in decisions if isinstance(one, File)}
    found = rules.with_say(tx, wanted) if wanted else wanted
    if not found:
        return []
    return [
        number for number, one in enumerate(decisions) if isinstance(one, File) and one.folder_id in found
    ]


def _to_queue(work: Work, decisions: Sequence[Decision], numbers: Sequence[int]) -> list[Decision]:
    """With the queue in place of those folders, where the address leads there again."""
    found = list(decisions)
    for number in numbers:
        recipient, home = work.envelope.recipients[number], decisions[number]
        if isinstance(home, File) and home == File(recipient.folder_id):
            found[number] = Send((str(recipient.address),))
    return found


def _held_back(work: Work) -> Sequence[Decision]:
    """The decisions, with the queue in place of folders until the message is released (RFC 4865)."""
    if work.envelope.wishes.release_at <= work.now:
        return work.decisions
    return [
        Send((str(recipient.address),)) if isinstance(decision, File) else decision
        for recipient, decision in zip(work.envelope.recipients, work.decisions, strict=True)
    ]


def _there(decisions: Sequence[Decision], outcomes: Sequence[Problem | None]) -> list[int]:
    """The numbers of recipients that have the message now, for good."""
    return [
        number
        for number, (decision, outcome) in enumerate(zip(decisions, outcomes, strict=True))
        if outcome is None and isinstance(decision, File | Discard | Sorted)
    ]


def _at_home(tx: Tx, work: Work, decision: Decision) -> Decision:
    """What rules want where all its folders can take it, else the folder whose rules they are."""
    if not isinstance(decision, Sorted):
        return decision
    if any(_trouble(tx, work, place, len(decision.places)) is not None for place in decision.places):
        return decision.home
    return decision


def _trouble(tx: Tx, work: Work, decision: Decision, copies: int = 1) -> Problem | None:
    """Why a mailbox cannot take it."""
    if not isinstance(decision, File):
        return None
    try:
        account = accounts.get(tx, folders.get(tx, FolderId(decision.folder_id)).account_id)
    except Refused as problem:
        return problem
    size = account.used_bytes + copies * (work.content.size + len(work.received))
    if account.full or 0 < account.quota_bytes < size:
        return TryLater(Reason.OVER_QUOTA)
    return None


def _left_over(
    work: Work, outcomes: Sequence[Problem | None]
) -> tuple[dict[str, Recipient], dict[str, tuple[Recipient, str]]]:
    """Addresses that the queue shall try again, and those it shall report as refused, with the words.

    Where the protocol tells each recipient's outcome, only those that it did not name are left: the
    destinations of an alias.  Raises the first problem when nobody would be left who has it.
    """
    problems = [problem for problem in outcomes if problem is not None]
    again: dict[str, Recipient] = {}
    refused: dict[str, tuple[Recipient, str]] = {}
    if not problems:
        return again, refused
    if len(problems) == len(outcomes) and not work.each:
        raise problems[0]
    for recipient, decision, problem in zip(work.envelope.recipients, work.decisions, outcomes, strict=True):
        if work.each and not recipient.expanded:
            continue
        if isinstance(decision, Reject):
            refused[str(recipient.address)] = recipient, str(decision.problem)
        elif problem is not None:
            again[str(recipient.address)] = recipient
    return again, refused


def _queue(
    tx: Tx,
    work: Work,
    waiting: Mapping[str, Recipient],
    refused: Mapping[str, tuple[Recipient, str]],
    held: Mapping[str, str],
) -> None:
    """One queue item for each sender and way that the copies have; most often that is one."""
    ways = _ways(waiting, held)
    for address, (recipient, text) in refused.items():
        ways.setdefault((None, ()), []).append(_to(address, recipient, refused=text))
    for (sender, via), recipients in ways.items():
        queue.put(tx, _item(work, sender, via, recipients), recipients, work.claim)


_Ways = dict[tuple[Mailbox | None, tuple[str, ...]], list[queue.To]]


def _ways(waiting: Mapping[str, Recipient], held: Mapping[str, str]) -> _Ways:
    """Addresses by the sender and the way of their copies."""
    ways: _Ways = {}
    for address, recipient in waiting.items():
        ways.setdefault((recipient.sender, recipient.via), []).append(
            _to(address, recipient, held.get(address, ""))
        )
    return ways


def _to(address: str, recipient: Recipient, hold: str = "", **more: object) -> queue.To:
    """The row of one address, with what its sender wants to be told (RFC 3461)."""
    parameters = notify.parameters(recipient.notify, recipient.orcpt) | more
    if recipient.via or recipient.expanded:
        parameters["led"] = True  # the address is not the one that the client named
    return queue.To(address, parameters, domain=ascii_domain(mailbox(address).domain), hold=hold)


def _item(work: Work, sender: Mailbox | None, via: Sequence[str], to: Sequence[queue.To]) -> queue.QueueItem:
    """``sender`` None: the message's own."""
    envelope = work.envelope
    sender = envelope.sender if sender is None else sender
    parameters: dict[str, object] = {"id": envelope.id}
    if envelope.eight_bit:
        parameters["eight_bit"] = True
    if envelope.utf8 or not all(one.address.isascii() for one in to):
        parameters["utf8"] = True
    if envelope.helo:
        parameters["helo"] = envelope.helo
    if envelope.peer.listener:
        parameters["arrived"] = {"listener": envelope.peer.listener, "tls": envelope.peer.secure}
    if envelope.wishes is not USUAL:
        parameters |= _asked(envelope.wishes)
    return queue.QueueItem(
        content=work.content,
        sender=str(sender),
        prefix=b"".join(stamp.delivered_to(each) for each in reversed(via)) + work.received,
        account_id=envelope.identity.account_id if envelope.identity is not None else None,
        params=parameters,
        expires_at=work.expires_at,
    )


def _asked(wishes: Wishes) -> dict[str, object]:
    """The sender's wishes as the queue keeps them: by their names, what was not asked left out."""
    usual = asdict(USUAL)
    return {name: value for name, value in asdict(wishes).items() if value != usual[name]}


def _note(work: Work, queued: Sequence[str]) -> trace.Note:
    """One trace row a message: who brought it, for whom; the store adds where it went."""
    envelope = work.envelope
    peer = envelope.peer
    detail: dict[str, object] = {
        "id": envelope.id,
        "from": str(envelope.sender),
        "to": [str(recipient.address) for recipient in envelope.recipients[:MAX_TRACED]],
        "client": peer.address,
        "helo": envelope.helo,
        "with": stamp.with_protocol(envelope),
        "size": work.content.size,
    }
    if queued:
        detail["queued"] = list(queued[:MAX_TRACED])
    if envelope.wishes.priority:
        detail["priority"] = envelope.wishes.priority  # RFC 6710 4.1 (3)
    if (before := peer.notes.get("forwarded")) is not None:
        detail["forwarded"] = before  # where a filter says that it had it from (XFORWARD)
    account_id = envelope.identity.account_id if envelope.identity is not None else None
    return trace.Note(peer.id, work.event, account_id, detail)
