"""LIST, LSUB, NAMESPACE and their kin.

RFC 9051 6.3.9 and 6.3.10, RFC 3501 6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 2342, RFC 2193 5.1, RFC 8440.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quintet.errors import BadSyntax, Refused
from quintet.imap import format as fmt
from quintet.imap import languages, names, newsgroups, places, referrals, tree, tree_commands, updates
from quintet.imap.cmd import acl, metadata, status
from quintet.store import folders

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx
    from quintet.store.model import AccountId

GROUPS = names.GROUPS.removesuffix("/")
NOSELECT = b"\\Noselect"
PAGE = 200  # mailboxes answered before others get their turn
USES = tree.USES
_OLD_USES = {b"\\All": b"\\AllMail", b"\\Flagged": b"\\Starred", b"\\Junk": b"\\Spam"}  # of XLIST


def list_(session: Session, command: commands.List, _: Input) -> Replies:
    if command.patterns == (b"",) and not command.extended:
        # RFC 9051 6.3.9: an empty name asks for the separator, and the root of the reference
        word = _word(command)
        return updates.then(session, b'* %b (\\Noselect) "/" ""\r\n%b OK Done\r\n' % (word, command.tag))
    asked = _patterns(session, command)
    if not (command.status or command.metadata or b"MYRIGHTS" in command.give or _is_wild(asked)):
        told = session.house.store.peek(_few, session, command, asked)
        if told is not None:
            news = updates.then(session, b"%b OK Done\r\n" % command.tag)
            return [*told, *news] if isinstance(news, list) else updates.after(told, news)
    return _list(session, command, asked)


def _word(command: commands.List) -> bytes:
    return b"XLIST" if isinstance(command, tree_commands.Xlist) else b"LIST"


async def _list(session: Session, command: commands.List, asked: list[str]) -> AsyncGenerator[Any, None]:
    if b"HIGHESTMODSEQ" in command.status:
        session.enable((b"CONDSTORE",))
    together = await _together(session, command, asked)
    for text in together or ():
        yield text
    lines = [] if together is not None else await session.house.store.read(_chosen, session, command, asked)
    more = bool(command.status) or b"MYRIGHTS" in command.give
    for start in range(0, len(lines), PAGE):
        page = lines[start : start + PAGE]
        if command.metadata:  # there may be a MiB of each
            for one in page:
                yield await session.house.store.read(_with_more, session, [one], command)
        elif more:
            yield await session.house.store.read(_with_more, session, page, command)
        else:
            yield b"".join(_lines(session.utf8, page, _word(command)))
        await asyncio.sleep(0)  # a fast reader never makes us wait: others get their turn all the same
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def _pattern(session: Session, reference: bytes, pattern: bytes) -> str:
    """The pattern in its reference, with one separator between them (RFC 2683 3.4.9).

    Wildcards are no part of a name's coding: they stand outside of UTF-7's shifts.
    """
    where, name = names.decode(reference, utf8=session.utf8), names.decode(pattern, utf8=session.utf8)
    if not where or not name:
        return where + name
    return where.removesuffix(names.SEPARATOR) + names.SEPARATOR + name.removeprefix(names.SEPARATOR)


def _patterns(session: Session, command: commands.List) -> list[str]:
    """Those that can match: others are passed over in silence, and so is an empty one (RFC 5258 3)."""
    found: list[str] = []
    for raw in command.patterns:
        try:
            pattern = _pattern(session, command.reference, raw)
            names.matcher(pattern)  # too many wildcards
        except (BadSyntax, Refused):
            continue
        if raw:
            found.append(pattern)
    return found


def _is_wild(asked: list[str]) -> bool:
    """Matching costs more than the loop thread has time for."""
    return any(map(names.effort, asked))


def remote(session: Session) -> dict[str, tuple[str, ...]]:
    """The mailboxes that lie on other servers (RFC 2193)."""
    return referrals.mailboxes(session.house.config.remote_mailboxes, session.house.hostname)


def _apart(session: Session, command: commands.List) -> dict[str, tuple[str, ...]]:
    """Mailboxes on other servers, which are told of only where they are asked for (RFC 2193 3)."""
    return {} if b"REMOTE" in command.select else remote(session)


def _hidden(session: Session, command: commands.List) -> bool:
    """RFC 5258 3.1: what is subscribed is told as it is, also where newsgroups are not listed."""
    return b"SUBSCRIBED" in command.select and not session.house.config.list_groups


def _few(tx: Tx, session: Session, command: commands.List, asked: list[str]) -> list[bytes] | None:
    """On the loop thread, of those who have few mailboxes beside newsgroups; None where there may be many."""
    account, house = session.user.account_id, session.house
    apart = _apart(session, command)
    if tree.is_small(tx, account, asked, groups=house.config.list_groups, most=PAGE):
        if b"REMOTE" in command.select:
            return _lines(session.utf8, _chosen(tx, session, command, asked), _word(command))
        groups, hidden = house.config.list_groups, _hidden(session, command)
        found = tree.found(tx, account, asked, groups=groups, apart=apart, hidden=hidden)
        return [_written(found, command.select, command.give, tuple(asked), _word(command), session.utf8)]
    if not _alike(command) or not tree.is_small(tx, account, asked, groups=False, most=PAGE):
        return None
    block = house.newsgroups.get(tx, _block_name(session, command, asked))
    if block is None:
        return None
    others = tree.read(tx, account, asked, groups=False, remote={}, apart=apart)
    if block.above:
        others.parents.add(GROUPS)
    reached = frozenset((GROUPS,) if block.reached else ())
    lines = tree.choose(others, command.select, command.give, asked, reached)
    at = sum(one.name == "INBOX" or one.name < names.GROUPS for one in lines)
    word = _word(command)
    before, after = _lines(session.utf8, lines[:at], word), _lines(session.utf8, lines[at:], word)
    return [b"".join(before), *block.pieces, b"".join(after)]


def _alike(command: commands.List) -> bool:
    """Everybody who asks so is told the same of newsgroups: nothing of it is the reader's own."""
    more = command.status or command.metadata or command.select
    return not (more or command.give & {b"SUBSCRIBED", b"MYRIGHTS"})


def _block_name(session: Session, command: commands.List, asked: list[str]) -> newsgroups.Name:
    return (_word(command), session.utf8, *asked)


async def _together(session: Session, command: commands.List, asked: list[str]) -> list[bytes] | None:
    """As `_few`, after what is told of newsgroups was made; None where that does not help."""
    house = session.house
    if not (_alike(command) and house.config.list_groups) or _is_wild(asked):
        return None
    async with house.newsgroups.making:
        told = house.store.peek(_few, session, command, asked)  # somebody else may have made it
        if told is None:
            await house.store.read(_make, session, command, asked)
            told = house.store.peek(_few, session, command, asked)
    return told


def _make(tx: Tx, session: Session, command: commands.List, asked: list[str]) -> None:
    """In a reader thread: 10,000 newsgroups take 50 ms."""
    if not tree.is_small(tx, session.user.account_id, asked, groups=False, most=PAGE):
        return
    tests = [names.matcher(pattern) for pattern in asked]
    session.house.newsgroups.make(
        tx,
        _block_name(session, command, asked),
        lambda name: any(test(name) for test in tests),
        lambda name: line(session.utf8, _word(command), name, (tree.HAS_NO,)),
    )


def _chosen(tx: Tx, session: Session, command: commands.List, asked: list[str]) -> list[tree.Line]:
    """In a reader thread: there may be 10,000 names."""
    far = remote(session) if b"REMOTE" in command.select else {}
    account, groups = session.user.account_id, session.house.config.list_groups
    apart, hidden = _apart(session, command), _hidden(session, command)
    found = tree.read(tx, account, asked, groups=groups, remote=far, apart=apart, hidden=hidden)
    return tree.choose(found, command.select, command.give, asked)


@functools.lru_cache(maxsize=128)  # a client asks for the same each time it starts; 20 KB each at most
def _written(
    found: tree.Names,
    select: frozenset[bytes],
    give: frozenset[bytes],
    asked: tuple[str, ...],
    word: bytes,
    utf8: bool,
) -> bytes:
    """All lines of an answer, of names that the store tells now."""
    return b"".join(_lines(utf8, tree.choose(tree.made(found, {}), select, give, list(asked)), word))


def _lines(utf8: bool, lines: list[tree.Line], word: bytes) -> list[bytes]:
    return [_line(utf8, one, word) for one in lines]


def _line(utf8: bool, one: tree.Line, word: bytes) -> bytes:
    attributes: tuple[bytes, ...] = one.attributes
    if word == b"XLIST":
        attributes = tuple(_OLD_USES.get(use, use) for use in attributes)
        if one.name == "INBOX":
            attributes += (b"\\Inbox",)
    return line(utf8, word, one.name, attributes, one.child_info)


def line(
    utf8: bool,
    word: bytes,
    name: str,
    attributes: tuple[bytes, ...],
    child_info: tuple[bytes, ...] = (),
) -> bytes:
    """One mailbox's answer (RFC 9051 7.3.1, RFC 5258 3.5)."""
    extra = b""
    if child_info:
        extra = b' ("CHILDINFO" (%b))' % b" ".join(b'"%b"' % criterion for criterion in child_info)
    told = fmt.mailbox(name, utf8=utf8)
    return b'* %b (%b) "/" %b%b\r\n' % (word, b" ".join(attributes), told, extra)


def _with_more(tx: Tx, session: Session, lines: list[tree.Line], command: commands.List) -> bytes:
    """After each LIST: what was asked for besides."""
    told = []
    for one in lines:
        where = places.find(tx, session.user.account_id, one.name) if one.present else None
        closed = one.present and (where is None or not where.may("r"))
        if closed and NOSELECT not in one.attributes:  # since a moment ago (RFC 5819 2)
            one = replace(one, attributes=(NOSELECT, *one.attributes))
        told.append(_line(session.utf8, one, _word(command)))
        if where is not None and not (one.child_info and not one.meets):
            told.append(_after(tx, session, where, one, command))
    return b"".join(told)


def _after(tx: Tx, session: Session, where: Place, one: tree.Line, command: commands.List) -> bytes:
    told = b""
    if b"MYRIGHTS" in command.give:
        told += acl.my_line(session, where)
    if command.metadata and metadata.may(where):  # RFC 9590
        told += metadata.of_listed(tx, session, where, command.metadata)
    if command.status and NOSELECT not in one.attributes:
        told += status.line(tx, session, where, command.status)
    return told


async def lsub(session: Session, command: commands.Lsub, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 3501 6.3.9: subscribed names, there or not; "%" tells the parent of what it does not reach."""
    pattern = _pattern(session, command.reference, command.pattern)
    far = {} if command.remote else remote(session)  # RFC 2193 3: only RLSUB tells of those
    found = await session.house.store.read(_subscribed, session.user.account_id, pattern, far)
    for start in range(0, len(found), PAGE):
        yield b"".join(
            [line(session.utf8, b"LSUB", name, told) for name, told in found[start : start + PAGE]]
        )
        await asyncio.sleep(0)
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def _subscribed(
    tx: Tx, account: AccountId, pattern: str, far: dict[str, tuple[str, ...]]
) -> list[tuple[str, tuple[bytes, ...]]]:
    """In a reader thread: names and their attributes, INBOX first."""
    subscribed = {name for name in folders.subscriptions(tx, account) if not referrals.hosts_of(far, name)}
    found: list[tuple[str, tuple[bytes, ...]]] = [
        (name, ()) for name in tree.matching_names(subscribed, [pattern])
    ]
    if pattern.endswith("%"):
        above = tree.ancestors(subscribed) - subscribed
        found += [(name, (NOSELECT,)) for name in tree.matching_names(above, [pattern])]
    return sorted(found, key=lambda one: (one[0] != "INBOX", one[0]))


def namespace(session: Session, command: commands.Namespace, _: Input) -> Replies:
    return updates.then(session, namespaces(session) + b"%b OK Done\r\n" % command.tag)


def namespaces(session: Session) -> bytes:
    """What there is and how it is called: personal, other users', shared (RFC 2342 5, RFC 5255 3.4)."""

    def one(prefix: str) -> bytes:
        word = prefix.removesuffix("/")
        said = languages.translated(word, session.language)
        extra = b""
        if said != word:
            extra = b' "TRANSLATION" ("%b/")' % fmt.mailbox(said, utf8=session.utf8).strip(b'"')
        return b'("%b" "/"%b)' % (prefix.encode("ascii"), extra)

    told = one(names.USERS), one(names.GROUPS), one(names.PUBLIC)
    return b'* NAMESPACE (("" "/")) (%b) (%b%b)\r\n' % told
