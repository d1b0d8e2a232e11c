"""LIST, LSUB, NAMESPACE (RFC 9051 6.3.9, 6.3.10, RFC 3501 6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 2342)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quintet.imap import format as fmt
from quintet.imap import names, places, updates
from quintet.imap.cmd import acl, status
from quintet.store import folders
from quintet.store.model import FolderKind

if TYPE_CHECKING:
    from quintet.imap import commands
    from quintet.imap.places import Place
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies
    from quintet.store.db import Tx

PAGE = 200  # mailboxes answered before others get their turn
USES = {
    "all": b"\\All", "archive": b"\\Archive", "drafts": b"\\Drafts", "flagged": b"\\Flagged",
    "junk": b"\\Junk", "sent": b"\\Sent", "trash": b"\\Trash", "important": b"\\Important",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One mailbox to tell of; without a place it is only the name of something above one."""

    name: str
    attributes: tuple[bytes, ...]
    place: Place | None = None
    child_info: bool = False


class Tree:
    """All names that an account can list: what is there, what is subscribed, what lies above them."""

    def __init__(self, tx: Tx, session: Session, patterns: Iterable[str]) -> None:
        account = session.user.account_id
        found = list(places.own(tx, account))
        if session.house.config.list_groups and _may_reach(patterns, names.GROUPS):
            found.extend(places.newsgroups(tx, account))
        if _may_reach(patterns, names.USERS) or _may_reach(patterns, names.PUBLIC):
            found.extend(places.shared(tx, account))
        self.places = {place.name: place for place in found}
        self.subscribed = set(folders.subscriptions(tx, account))
        self.parents: set[str] = set()  # names that have something below them
        for name in self.places:
            self.parents.update(_above(name))
        self.subscribed_below: set[str] = set()
        for name in self.subscribed:
            self.subscribed_below.update(_above(name))

    def names(self, *, subscribed: bool) -> list[str]:
        """Names to match: places and what lies above them; INBOX first, then by name."""
        all_names = set(self.places) | self.parents
        if subscribed:
            all_names |= self.subscribed | self.subscribed_below
        return sorted(all_names, key=lambda name: (name != "INBOX", name))

    def attributes(self, name: str) -> list[bytes]:
        """What LIST says of a name (RFC 9051 7.3.1)."""
        place = self.places.get(name)
        told: list[bytes] = []
        if place is None:
            told.append(b"\\NonExistent")
            told.append(b"\\Noselect")  # implied; for those who know only RFC 3501
        elif "r" not in place.rights:
            told.append(b"\\Noselect")
        if place is not None and place.folder.kind == FolderKind.GROUP:
            told.append(b"\\HasNoChildren")
        else:
            told.append(b"\\HasChildren" if name in self.parents else b"\\HasNoChildren")
        if place is not None and place.reader is None and place.folder.role in USES:
            told.append(USES[place.folder.role])
        return told


def _may_reach(patterns: Iterable[str], prefix: str) -> bool:
    """False when no pattern can match anything in the namespace: most clients ask for one mailbox."""
    for pattern in patterns:
        literal = pattern.partition("*")[0].partition("%")[0]
        if literal.startswith(prefix) or prefix.startswith(literal):
            return True
    return False


def _above(name: str) -> Iterator[str]:
    at = name.rfind("/")
    while at > 0:
        name = name[:at]
        yield name
        at = name.rfind("/")


def list_(session: Session, command: commands.List, _: Input) -> Replies:
    if command.patterns == (b"",) and not command.extended:
        # RFC 9051 6.3.9: an empty name asks for the separator, and the root of the reference
        return updates.then(session, b'* LIST (\\Noselect) "/" ""\r\n%b OK Done\r\n' % command.tag)
    return _list(session, command)


async def _list(session: Session, command: commands.List) -> AsyncGenerator[Any, None]:
    reference = names.decode(command.reference, utf8=session.utf8)
    patterns = [reference + _decode(pattern, utf8=session.utf8) for pattern in command.patterns]
    if b"HIGHESTMODSEQ" in command.status:
        session.enable((b"CONDSTORE",))
    lines = await session.house.store.read(_chosen, session, command, patterns)
    for start in range(0, len(lines), PAGE):
        page = lines[start : start + PAGE]
        if command.status or b"MYRIGHTS" in command.give:
            yield session.house.store.peek(_with_more, session, page, command)
        else:
            yield b"".join([_line(session, one) for one in page])
        await asyncio.sleep(0)  # a fast reader never makes us wait: others get their turn all the same
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def _decode(pattern: bytes, *, utf8: bool) -> str:
    """Wildcards are no part of a name's coding: they stand outside of UTF-7's shifts."""
    return names.decode(pattern, utf8=utf8)


def _chosen(tx: Tx, session: Session, command: commands.List, patterns: list[str]) -> list[Line]:
    """In a reader thread: there may be 10,000 names."""
    return _choose(Tree(tx, session, patterns), command, patterns)


def _choose(tree: Tree, command: commands.List, patterns: list[str]) -> list[Line]:
    """The mailboxes that match pattern and selection options (RFC 5258 3)."""
    only_subscribed = b"SUBSCRIBED" in command.select
    only_special = b"SPECIAL-USE" in command.select
    show_subscribed = only_subscribed or b"SUBSCRIBED" in command.give
    matching = [
        name
        for name in tree.names(subscribed=only_subscribed)
        if any(names.matches(pattern, name) for pattern in patterns)
    ]
    # a name that only lies above others is told where no pattern reaches those (RFC 3501 6.3.8, "%")
    reached = {above for name in matching if name in tree.places for above in _above(name)}
    hidden: set[str] = set()  # names above something subscribed that no pattern reaches (RFC 5258 3.5)
    if b"RECURSIVEMATCH" in command.select and only_subscribed:
        hidden = {above for name in tree.subscribed.difference(matching) for above in _above(name)}
    lines = []
    for name in matching:
        attributes = tree.attributes(name)
        if only_special and not any(word in attributes for word in USES.values()):
            continue
        if only_subscribed:
            if name not in tree.subscribed and name not in hidden:
                continue
        elif name not in tree.places and name in reached:
            continue
        if show_subscribed and name in tree.subscribed:
            attributes.insert(0, b"\\Subscribed")
        lines.append(Line(name, tuple(attributes), tree.places.get(name), name in hidden))
    return lines


def _line(session: Session, one: Line, word: bytes = b"LIST") -> bytes:
    told = fmt.mailbox(one.name, utf8=session.utf8)
    extra = b' ("CHILDINFO" ("SUBSCRIBED"))' if one.child_info else b""
    return b'* %b (%b) "/" %b%b\r\n' % (word, b" ".join(one.attributes), told, extra)


def _with_more(tx: Tx, session: Session, lines: list[Line], command: commands.List) -> bytes:
    """After each LIST: STATUS, but not for what cannot be selected (RFC 5819 2); MYRIGHTS (RFC 8440 3)."""
    told = []
    for one in lines:
        told.append(_line(session, one))
        if one.place is None or one.child_info:
            continue
        if b"MYRIGHTS" in command.give:
            told.append(acl.my_line(session, one.place))
        if command.status and b"\\Noselect" not in one.attributes:
            told.append(status.line(tx, session, one.place, command.status))
    return b"".join(told)


async def lsub(session: Session, command: commands.Lsub, _: Input) -> AsyncGenerator[Any, None]:
    """RFC 3501 6.3.9: subscribed names, there or not; "%" tells the parent of what it does not reach."""
    reference = names.decode(command.reference, utf8=session.utf8)
    pattern = reference + _decode(command.pattern, utf8=session.utf8)
    subscribed = set(await session.house.store.read(folders.subscriptions, session.user.account_id))
    lines = [Line(name, ()) for name in subscribed if names.matches(pattern, name)]
    if pattern.endswith("%"):
        above = {name for one in subscribed for name in _above(one)} - subscribed
        lines += [Line(name, (b"\\Noselect",)) for name in above if names.matches(pattern, name)]
    lines.sort(key=lambda line: (line.name != "INBOX", line.name))
    for start in range(0, len(lines), PAGE):
        yield b"".join([_line(session, one, b"LSUB") for one in lines[start : start + PAGE]])
    for reply in await updates.told(session):
        yield reply
    yield b"%b OK Done\r\n" % command.tag


def namespace(session: Session, command: commands.Namespace, _: Input) -> Replies:
    told = b'* NAMESPACE (("" "/")) (("%b" "/")) (("%b" "/")("%b" "/"))\r\n' % (
        names.USERS.encode("ascii"),
        names.GROUPS.encode("ascii"),
        names.PUBLIC.encode("ascii"),
    )
    return updates.then(session, told + b"%b OK Done\r\n" % command.tag)
