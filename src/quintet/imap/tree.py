"""All mailbox names that an account can list, and those that a LIST asks for (RFC 5258 3, RFC 9051 6.3.9).

`read` asks the store once for each namespace; `choose` and all else is pure.  What is told after a name
(STATUS, rights) and how it is written is `cmd.listing`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from quintet.errors import Reason, Refused
from quintet.imap import names, places, referrals
from quintet.store import access, folders
from quintet.store import groups as store_groups
from quintet.store.model import FolderKind
from quintet.values import dataclass

if TYPE_CHECKING:
    from quintet.store.db import Tx
    from quintet.store.model import AccountId, Folder

USES = {  # RFC 6154 2, RFC 8457 3
    "all": b"\\All", "archive": b"\\Archive", "drafts": b"\\Drafts", "flagged": b"\\Flagged",
    "junk": b"\\Junk", "sent": b"\\Sent", "trash": b"\\Trash", "important": b"\\Important",
}  # fmt: skip
# those that a client may give: \\All and \\Flagged are views, which we do not have
GIVEN = {use.upper(): role for role, use in USES.items() if role not in ("all", "flagged")}
MATCHING_S = 2.0  # seconds of CPU for one command; 10,000 usual names and a usual pattern take 10 ms
_HAS, HAS_NO = b"\\HasChildren", b"\\HasNoChildren"


@dataclass(frozen=True, slots=True)
class Line:
    """One mailbox to tell of."""

    name: str
    attributes: tuple[bytes, ...]
    present: bool = True  # False: only the name of something above another, subscribed, or elsewhere
    meets: bool = True  # the selection options; False: told for what is below it
    child_info: tuple[bytes, ...] = ()  # the options that something below it meets (RFC 5258 3.5)


@dataclass(frozen=True, slots=True)
class Node:
    """What is there under a name."""

    use: bytes = b""  # special use (RFC 6154 2); only of one's own
    readable: bool = True
    leaf: bool = False  # nothing can be below it
    remote: bool = False  # on another server


_PLAIN = Node()


@dataclass(frozen=True, slots=True)
class Names:
    """What an account can list, as values that can be compared; a `Tree` is made of it."""

    own: tuple[tuple[str, str], ...]  # name and role
    others: tuple[tuple[str, bool, bool], ...]  # of other people, and newsgroups: name, readable, leaf
    subscribed: tuple[str, ...]
    hidden: tuple[tuple[str, bool, bool], ...] = ()  # as ``others``: told of only as subscribed


@dataclass(slots=True)
class Tree:
    """Names, and what lies above them."""

    nodes: dict[str, Node]
    subscribed: frozenset[str] = frozenset()
    hidden: dict[str, Node] = field(default_factory=dict)
    parents: set[str] = field(init=False)  # names that have something below them

    _above_hidden: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.parents = ancestors(self.nodes)
        self._above_hidden = ancestors(self.hidden)

    def node(self, name: str) -> Node | None:
        return self.nodes.get(name) or self.hidden.get(name)

    def has_children(self, name: str) -> bool:
        return name in self.parents or name in self._above_hidden


def use_of(folder: Folder, reader: AccountId) -> bytes:
    """Its special use to ``reader``; b"" for none, and to everybody but its owner (RFC 6154 2)."""
    return USES.get(folder.role, b"") if folder.account_id == reader else b""


def above(name: str) -> Iterator[str]:
    """The levels above a name, nearest first."""
    at = name.rfind("/")
    while at > 0:
        name = name[:at]
        yield name
        at = name.rfind("/")


def ancestors(below: Iterable[str]) -> set[str]:
    """All levels above any of ``below``; time is that of the names' text, however deep they are."""
    found: set[str] = set()
    for name in below:
        at = name.rfind("/")
        while at > 0:
            name = name[:at]
            if name in found:
                break  # and all above it
            found.add(name)
            at = name.rfind("/")
    return found


Hosts = Mapping[str, tuple[str, ...]]  # of mailboxes on other servers


def read(
    tx: Tx,
    account: AccountId,
    asked: Iterable[str],
    *,
    groups: bool,
    remote: Hosts,
    apart: Hosts,
    hidden: bool = False,
) -> Tree:
    """What the account can list, as far as the patterns ``asked`` can reach it."""
    return made(found(tx, account, asked, groups=groups, apart=apart, hidden=hidden), remote)


def found(
    tx: Tx, account: AccountId, asked: Iterable[str], *, groups: bool, apart: Hosts, hidden: bool = False
) -> Names:
    """The same as the store tells it; no subscription is told that lies ``apart``.

    ``hidden``: newsgroups that are subscribed are looked for, though they are not told of otherwise.
    """
    others: list[tuple[str, bool, bool]] = []
    if groups and _may_reach(asked, names.GROUPS):
        others += [
            (one.name, one.may("r"), one.folder.kind == FolderKind.GROUP)
            for one in places.newsgroups(tx, account)
        ]
    if _may_reach(asked, names.USERS) or _may_reach(asked, names.PUBLIC):
        others += [(one.name, one.may("r"), False) for one in places.shared(tx, account)]
    own, subscribed = folders.outline(tx, account), folders.subscriptions(tx, account)
    if apart:
        subscribed = [name for name in subscribed if not referrals.hosts_of(apart, name)]
    unlisted = tuple(_hidden(tx, account, subscribed)) if hidden else ()
    return Names(tuple(own), tuple(others), tuple(subscribed), unlisted)


def _hidden(tx: Tx, account: AccountId, subscribed: Iterable[str]) -> Iterator[tuple[str, bool, bool]]:
    """Newsgroups that LIST does not tell of: those that are subscribed are there all the same."""
    for name in subscribed:
        where = places.find(tx, account, name) if name.startswith(names.GROUPS) else None
        if where is not None and where.may("l"):
            yield name, where.may("r"), True


def made(names: Names, remote: Hosts) -> Tree:
    nodes: dict[str, Node] = dict.fromkeys(remote, Node(remote=True))
    for name, role in names.own:
        nodes[name] = Node(USES[role]) if role in USES else _PLAIN
    for name, readable, leaf in names.others:
        nodes[name] = Node(readable=readable, leaf=leaf)
    hidden = {name: Node(readable=readable, leaf=leaf) for name, readable, leaf in names.hidden}
    return Tree(nodes, frozenset(names.subscribed), hidden)


def is_small(tx: Tx, account: AccountId, asked: Iterable[str], *, groups: bool, most: int) -> bool:
    """True if `read` looks at ``most`` folders at most, of each kind."""
    if not folders.fewer(tx, account, most):
        return False
    if groups and _may_reach(asked, names.GROUPS) and not store_groups.fewer(tx, most):
        return False
    shared = _may_reach(asked, names.USERS) or _may_reach(asked, names.PUBLIC)
    return not shared or len(access.shared_with(tx, account)) < most


def _may_reach(asked: Iterable[str], prefix: str) -> bool:
    """False when no pattern can match anything in the namespace: most clients ask for one mailbox."""
    for pattern in asked:
        literal = pattern.partition("*")[0].partition("%")[0]
        if literal.startswith(prefix) or prefix.startswith(literal):
            return True
    return False


def attributes(tree: Tree, name: str) -> list[bytes]:
    """What LIST says of a name (RFC 9051 7.3.1, RFC 5258 3)."""
    node = tree.node(name)
    told: list[bytes] = []
    if node is None:
        told += (b"\\NonExistent", b"\\Noselect")  # the second is implied; for who knows only RFC 3501
    elif not node.readable:
        told.append(b"\\Noselect")
    if node is not None and node.remote:
        told.append(b"\\Remote")
    told.append(_HAS if tree.has_children(name) and (node is None or not node.leaf) else HAS_NO)
    if node is not None and node.use:
        told.append(node.use)
    return told


def choose(
    tree: Tree,
    select: frozenset[bytes],
    give: frozenset[bytes],
    asked: list[str],
    besides: frozenset[str] = frozenset(),
) -> list[Line]:
    """The names that match a pattern and the selection options, INBOX first, then by name (RFC 5258 3.3).

    ``besides``: names above others that are told, but are not in the tree.
    """
    criteria = tuple(option for option in (b"SUBSCRIBED", b"SPECIAL-USE") if option in select)
    known: set[str] = set(tree.nodes) | tree.parents
    if b"SUBSCRIBED" in select:
        known |= tree.subscribed | ancestors(tree.subscribed)
    matching = matching_names(known, asked)
    matching.sort(key=lambda name: (name != "INBOX", name))
    if not criteria:
        # a name that only lies above others is told where no pattern reaches those (RFC 3501 6.3.8, "%")
        reached = ancestors(name for name in matching if name in tree.nodes) | besides
        return [_told(tree, name, give) for name in matching if name in tree.nodes or name not in reached]
    meeting = _meeting(tree, criteria)
    if b"RECURSIVEMATCH" not in select:
        return [_told(tree, name, give | select) for name in matching if name in meeting]
    has_child = ancestors(meeting)
    untold = ancestors(meeting.difference(matching))  # who has nothing else to say of a child stays silent
    return [
        _told(tree, name, give | select, name in meeting, criteria if name in has_child else ())
        for name in matching
        if name in meeting or name in untold
    ]


def matching_names(known: Iterable[str], asked: Iterable[str]) -> list[str]:
    """Those that match a pattern, in no order.

    Raises:
        Refused(TOO_MANY): so many wildcards, and so many and long names, that it takes too long.
    """
    patterns = dict.fromkeys(asked)
    tests = [names.matcher(pattern) for pattern in patterns]
    if not any(map(names.effort, patterns)):
        return [name for name in known if any(test(name) for test in tests)]
    found: list[str] = []
    until = time.thread_time() + MATCHING_S
    for count, name in enumerate(known):
        if not count % 64 and time.thread_time() > until:
            raise Refused(Reason.TOO_MANY, "too many wildcards for so many mailboxes")
        if any(test(name) for test in tests):
            found.append(name)
    return found


def _meeting(tree: Tree, criteria: tuple[bytes, ...]) -> set[str]:
    """The names that meet all selection options."""
    found: set[str] = set(tree.subscribed) if b"SUBSCRIBED" in criteria else set(tree.nodes)
    if b"SPECIAL-USE" in criteria:
        found = {name for name in found if (node := tree.nodes.get(name)) is not None and node.use}
    return found


def _told(
    tree: Tree, name: str, give: frozenset[bytes], meets: bool = True, child_info: tuple[bytes, ...] = ()
) -> Line:
    told = attributes(tree, name)
    if b"SUBSCRIBED" in give and name in tree.subscribed:
        told.insert(0, b"\\Subscribed")
    node = tree.node(name)
    return Line(name, tuple(told), node is not None and not node.remote, meets, child_info)
