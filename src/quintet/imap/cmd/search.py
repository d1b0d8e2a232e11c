"""SEARCH and UID SEARCH (RFC 9051 6.4.4, RFC 4731, RFC 5182, RFC 7162 3.1.5, RFC 9394, RFC 6203).

Finding is `searching`'s; SORT and ESEARCH write their answers with what is here.
"""

from __future__ import annotations

import asyncio
import functools
from array import array
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Reason, Refused, TryLater
from quintet.imap import answers, commands, contexts, limits, matching, searching, sets, updates
from quintet.imap import format as fmt
from quintet.imap.searching import MANY, Found

if TYPE_CHECKING:
    from quintet.imap.selected import Selected
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies

WRITTEN = 10_000  # numbers written into the answer together
MAX_SAVED = 50_000  # ranges of UIDs that "$" stands for: 5 MB of a session, 30 ms whenever it is used
_UNICODE = (b"UTF-8", b"US-ASCII")

Ranges = list[tuple[int, int]]


def search(session: Session, command: commands.Search, _: Input) -> Replies:
    here = session.here
    check_charset(session, command)
    contexts.check(here, command)
    if searching.is_large(command.key):
        return _search(session, command, None)
    if (unchanged := searching.none_by_counts(session, here, command)) is not None:
        return _ended(session, command, [_answer(session, here, command, Found())], Found(), b"", unchanged)
    try:
        finder = _finder(session, command)
        done = finder.at_once()
    except (Refused, TryLater):
        save_nothing(here, command.give)
        raise
    if not done or len(finder.found) > MANY:
        return _search(session, command, finder)
    found = searching.cut(here, finder.found)
    if b"SAVE" in (command.give or ()):
        _save(here, chosen(command, found.uids, saving=True))
    told = [_answer(session, here, command, found), *_followed(session, here, command, finder, found)]
    return _ended(session, command, told, found, finder.short, finder.unchanged)


def _finder(session: Session, command: commands.Search) -> searching.Finder:
    here = session.here
    finder = searching.Finder(
        session, searching.here(here), command, command.key, command.charset,
        scored=b"RELEVANCY" in (command.give or ()), limited=here,
    )  # fmt: skip
    if command.partial is not None and finder.short:
        raise answers.Coded(finder.short.rpartition(b" ")[0], Reason.TOO_MANY, "too many messages at once")
    return finder


def _ended(
    session: Session, command: commands.Search, told: list[bytes], found: Found, short: bytes, unchanged: bool
) -> Replies:
    """What was found at once, then what others changed; ``unchanged``: the client knows it all."""
    if unchanged and not updates.owes(session):
        return [*told, end(session.here, command, found.uids, short)]
    tail = functools.partial(end, session.here, command, found.uids, short)
    news = updates.then(session, tail, may_expunge=_may_expunge(command))
    return [*told, *news] if isinstance(news, list) else updates.after(told, news)


async def _search(
    session: Session, command: commands.Search, finder: searching.Finder | None
) -> AsyncGenerator[Any, None]:
    """What takes longer; of many keys, others have their turn before a ``finder`` is made."""
    here = session.here
    try:
        if finder is None:
            await asyncio.sleep(0)
            finder = _finder(session, command)
        async with aclosing(finder.run()) as progress:
            async for reply in progress:
                yield reply
    except (Refused, TryLater):
        save_nothing(here, command.give)
        raise
    found = await searching.known(here, finder.found)
    await save(here, command, found.uids)
    answer = functools.partial(_answer, session, here, command, found)
    yield answer() if len(found) <= MANY else await asyncio.to_thread(answer)
    for told in _followed(session, here, command, finder, found):
        yield told
    for reply in await updates.told(session, may_expunge=_may_expunge(command)):
        yield reply
    yield end(here, command, found.uids, finder.short)


def save_nothing(here: Selected, give: frozenset[bytes] | None) -> None:
    """RFC 5182 2.1: NO empties the variable, BAD leaves it."""
    if give is not None and b"SAVE" in give:
        here.saved = []


async def save(here: Selected, command: commands.Searching, ordered: Sequence[int]) -> None:
    """Keeps what SAVE asks for (RFC 5182 2.1, 2.4).

    Raises:
        Coded(NOTSAVED): more than we keep; "$" is empty then (RFC 5182 2.5).
    """
    if command.give is None or b"SAVE" not in command.give:
        return
    uids = chosen(command, ordered, saving=True)
    if len(uids) <= MANY:
        _save(here, uids)
    else:
        await asyncio.to_thread(_save, here, uids)


def _save(here: Selected, uids: Sequence[int]) -> None:
    here.saved = []
    ranges = sets.runs(sorted(uids))
    if len(ranges) > MAX_SAVED:
        raise answers.Coded(b"NOTSAVED", Reason.TOO_MANY, "too many messages to remember")
    here.saved = ranges


def check_charset(session: Session, command: commands.Searching) -> None:
    """Raises BadSyntax: another charset than the one that ENABLE UTF8=ACCEPT means (RFC 6855 3).

    Deviates: a charset of which UTF-8 has everything is taken, because there is no conflict, and clients
    that always write CHARSET UTF-8 would find nothing.
    """
    if b"UTF8=ACCEPT" in session.enabled and command.charset.upper() not in _UNICODE:
        raise BadSyntax("no other charset than UTF-8 after ENABLE UTF8=ACCEPT")


def _followed(
    session: Session, here: Selected, command: commands.Search, finder: searching.Finder, found: Found
) -> list[bytes]:
    """Follows the results where that was asked for; what is to be told of it."""
    if b"UPDATE" not in (command.give or ()):
        return []
    return [contexts.begin(session, here, command, finder, found.uids)]


def _may_expunge(command: commands.Search) -> bool:
    return command.uid and not matching.asks_numbers(command.key)  # RFC 7162 3.2.10


def end(here: Selected, command: commands.Searching | Any, uids: Iterable[int], short: bytes = b"") -> bytes:
    """RFC 9051 7.1: EXPUNGEISSUED when numbers of messages that are gone were told.

    ``short``: MESSAGELIMIT's code (`limits.cut`).
    """
    code = b""
    if not command.uid and here.view.gone and any(here.view.is_gone(uid) for uid in uids):
        code = b"[EXPUNGEISSUED] "
    return limits.done(command.tag, code, short)


def _answer(session: Session, here: Selected, command: commands.Search, found: Found) -> bytes:
    give = command.give
    if give is None and session.rev2:
        give = frozenset((b"ALL",))  # RFC 9051 6.4.4: ESEARCH takes the place of SEARCH
    if give is None:
        modseq = max(found.modseqs, default=0)
        return listed(b"SEARCH", numbered(here, found.uids, uid=command.uid), modseq)
    modseq = highest(command, found, found.uids)
    scores = normalized(found.scores) if b"RELEVANCY" in give else None
    return extended(command, give, numbered(here, found.uids, uid=command.uid), modseq=modseq, scores=scores)


def highest(command: commands.Searching, found: Found, ordered: Sequence[int]) -> int:
    """MODSEQ of what is told (RFC 4731 3.2); 0 where it was not asked for."""
    if not found.modseqs:
        return 0
    at = dict(zip(found.uids, found.modseqs, strict=True))
    return max((at[uid] for uid in chosen(command, ordered)), default=0)


def numbered(here: Selected, uids: Sequence[int], *, uid: bool) -> Sequence[int]:
    """What the client hears for ascending ``uids``; those it does not know are left out."""
    if uid:
        return uids
    numbers = here.view.numbers(uids)
    return numbers if isinstance(numbers, range) else array("I", filter(None, numbers))


def listed(word: bytes, numbers: Sequence[int], modseq: int = 0) -> bytes:
    """``* SEARCH 2 3 (MODSEQ 5)``; also ``* SORT`` (RFC 9051 appendix, RFC 5256 4, RFC 7162 3.1.5)."""
    told = bytearray(b"* " + word)
    for start in range(0, len(numbers), WRITTEN):
        told += b" " + " ".join(map(str, numbers[start : start + WRITTEN])).encode("ascii")
    if modseq:
        told += b" (MODSEQ %d)" % modseq
    return bytes(told + b"\r\n")


def extended(
    command: commands.Searching,
    give: frozenset[bytes],
    numbers: Sequence[int],
    *,
    modseq: int = 0,
    scores: Sequence[int] | None = None,
    where: bytes = b"",
) -> bytes:
    """``* ESEARCH (TAG "a1") UID COUNT 2 ALL 1,5`` (RFC 4731 3.1); b"" for SAVE alone (RFC 5182 1).

    ``numbers`` are in the order of the answer, and ``scores`` theirs; ``where``: more correlators.
    """
    if give == {b"SAVE"}:
        return b""
    told = [b"* ESEARCH (TAG %b%b)" % (fmt.string(command.tag), where)]
    if command.uid:
        told.append(b"UID")
    if numbers:
        if b"MIN" in give:
            told.append(b"MIN %d" % numbers[0])
        if b"MAX" in give:
            told.append(b"MAX %d" % numbers[-1])
        if b"ALL" in give:
            told.append(b"ALL " + sets.write(sets.runs(numbers)))
    if b"COUNT" in give:
        told.append(b"COUNT %d" % len(numbers))
    if command.partial is not None:
        some = numbers[part(command.partial, len(numbers))]
        shown = sets.write(sets.runs(some)) if some else b"NIL"
        told.append(b"PARTIAL (%d:%d %b)" % (*command.partial, shown))
    if scores is not None:
        if command.partial is not None:
            scores = scores[part(command.partial, len(numbers))]
        told.append(b"RELEVANCY (%b)" % b" ".join([b"%d" % score for score in scores]))
    if modseq:
        told.append(b"MODSEQ %d" % modseq)
    return b" ".join(told) + b"\r\n"


def part(asked: tuple[int, int], count: int) -> slice:
    """The results that PARTIAL asks for, in the order of the results (RFC 9394 3.1)."""
    first, last = sorted(asked)
    if first < 0:
        first, last = count + 1 + first, count + 1 + last
    return slice(max(first - 1, 0), max(last, 0))


def chosen(command: commands.Searching, uids: Sequence[int], *, saving: bool = False) -> Sequence[int]:
    """What MIN, MAX and PARTIAL alone are about (RFC 7162 3.1.10, RFC 5182 2.4, RFC 9394 3.2), ascending."""
    give = command.give or frozenset()
    if give & {b"ALL", b"COUNT"} or not give & {b"MIN", b"MAX", b"PARTIAL"}:
        return uids
    found: set[int] = set()
    if uids and b"MIN" in give:
        found.add(uids[0])
    if uids and b"MAX" in give:
        found.add(uids[-1])
    if command.partial is not None and (saving or not give & {b"MIN", b"MAX"}):
        found.update(uids[part(command.partial, len(uids))])
    return sorted(found)


def normalized(scores: Sequence[int]) -> Sequence[int]:
    """Scores over the whole of 1 to 100 (RFC 6203 4): the best has 100."""
    best = max(scores, default=0)
    return bytes(max(score * 100 // best, 1) for score in scores) if best else b""
