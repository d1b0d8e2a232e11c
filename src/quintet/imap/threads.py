"""The shapes of THREAD: ORDEREDSUBJECT, REFERENCES, REFS (RFC 5256 3, draft-ietf-morg-inthread).

Pure, and linear but for sorting, whatever the messages claim: chains of any depth, loops, a thousand
references.  Which messages are threaded, and what is kept of it, is `cmd.thread`'s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

CHUNK = 2000  # sorted, written or let go in one go: nobody else has the interpreter meanwhile; 1 ms
WHOLE = 10_000  # sorted so all the same: 5 ms, and as quick as can be
MAX_CLIMB = 1000  # ancestors looked at for a loop; only letters that contradict each other need any


class Letter(NamedTuple):
    """What threading knows of a message; made by the ten thousand."""

    uid: int
    message_id: str  # "" without one
    references: Sequence[str]  # oldest first
    sent_at: int  # ms, UTC; the time of arrival where there is no usable Date (RFC 5256 2.2)
    subject: bytes  # base subject as the comparator sees it
    is_reply: bool


class Node:
    """A message in its place, or a dummy for one that is not there."""

    __slots__ = ("children", "letter", "parent", "tree")

    def __init__(self, letter: Letter | None = None) -> None:
        self.letter = letter
        self.parent: Node | None = None
        self.children: list[Node] = []
        self.tree: Node | None = None  # what was linked at any time has a common end of these

    @property
    def order(self) -> tuple[int, int]:
        """By sent date; a dummy by its first child (RFC 5256 3, steps 4 and 6)."""
        letter = self.letter or self.children[0].letter
        assert letter is not None  # a dummy stands only at the top, and above messages
        return letter.sent_at, letter.uid


def _order(node: Node) -> tuple[int, int]:
    return node.order


def _in_order(items: list[T], key: Callable[[T], tuple[int, int]]) -> list[T]:
    """`sorted`; of very many by parts between keys out of their middle, others having a chance after each."""
    if len(items) <= WHOLE:
        return sorted(items, key=key)
    borders = sorted(map(key, items[:: CHUNK // 2]))
    parts: list[list[T]] = [[] for _ in range(len(borders) + 1)]
    for item in items:
        parts[bisect_right(borders, key(item))].append(item)
    found: list[T] = []
    for part in parts:
        found += sorted(part, key=key)
    return found


def let_go(items: list[Any]) -> None:
    """Empties a list; to free 100,000 at once holds everybody for 20 ms."""
    while items:
        del items[-CHUNK:]


def references(letters: Iterable[Letter]) -> list[Node]:
    """RFC 5256 3, REFERENCES, steps 1 to 6; ``letters`` ascend by UID.  Returns the threads' heads."""
    heads = _pruned(_linked(letters))
    for head in heads:
        if head.letter is None:
            head.children = _in_order(head.children, _order)
    heads = _in_order(heads, _order)  # step 4
    return _sorted(_by_subject(heads))


def refs(letters: Iterable[Letter]) -> list[Node]:
    """REFS: steps 1 to 3 of REFERENCES alone; the thread with the youngest message comes last."""
    return _in_order(_sorted(_pruned(_linked(letters))), _newest)


def ordered_subject(letters: Iterable[Letter]) -> list[Node]:
    """RFC 5256 3, ORDEREDSUBJECT: one level below the first of each base subject."""
    heads: dict[bytes, Node] = {}
    for letter in _in_order(list(letters), lambda one: (one.sent_at, one.uid)):
        node = Node(letter)
        head = heads.setdefault(letter.subject, node)
        if head is not node:
            head.children.append(node)
    return list(heads.values())  # in the order of their first messages


def _linked(letters: Iterable[Letter]) -> list[Node]:
    """Steps 1 and 2: parents by references; returns what has none, with children in their places."""
    nodes: dict[str, Node] = {}
    every: list[Node] = []
    for letter in letters:
        node = nodes.get(letter.message_id) if letter.message_id else None
        if node is None or node.letter is not None:  # new, without an id, or with one that is taken
            fresh = Node(letter)
            every.append(fresh)
            if letter.message_id and node is None:
                nodes[letter.message_id] = fresh
            node = fresh
        else:
            node.letter = letter
        above: Node | None = None
        for name in letter.references:  # A: the ancestors among each other
            below = nodes.get(name)
            if below is None:
                below = nodes[name] = Node()
                every.append(below)
            if above is not None and below.parent is None:
                _adopt(above, below)
            above = below
        if node.parent is not above:  # B: a message knows its own parent best
            node.parent = None
            if above is not None:
                _adopt(above, node)
    heads: list[Node] = []
    for node in every:
        (heads if node.parent is None else node.parent.children).append(node)
    return heads


def _adopt(parent: Node, child: Node) -> None:
    """Links the two, unless ``child``, which has no parent, is above ``parent`` already."""
    one, other = _tree(parent), _tree(child)
    if one is other:
        above: Node | None = parent
        for _ in range(MAX_CLIMB):
            if above is child:
                return
            if above is None:
                break
            above = above.parent
        else:
            return
    else:
        other.tree = one
    child.parent = parent


def _tree(node: Node) -> Node:
    """The same node for all that were ever linked; what is not needs no climbing."""
    top = node
    while top.tree is not None:
        top = top.tree
    while node.tree is not None:
        node.tree, node = top, node.tree
    return top


def _downwards(heads: Iterable[Node]) -> list[Node]:
    """Every node, each before its children."""
    found = list(heads)
    for node in found:  # grows meanwhile
        found.extend(node.children)
    return found


def _pruned(heads: list[Node]) -> list[Node]:
    """Step 3: without dummies, but those at the top that hold several threads together."""
    for node in reversed(_downwards(heads)):
        if any(child.letter is None for child in node.children):
            kept: list[Node] = []
            for child in node.children:
                if child.letter is None:
                    kept += child.children
                else:
                    kept.append(child)
            node.children = kept
    found = []
    for head in heads:
        if head.letter is not None or len(head.children) > 1:
            found.append(head)
        else:
            found += head.children
    return found


def _by_subject(heads: list[Node]) -> list[Node]:
    """Step 5: threads with the same base subject become one."""
    table: dict[bytes, Node] = {}
    for node in heads:
        subject = _subject(node)
        if not subject:
            continue
        known = table.get(subject)
        if known is None or (
            known.letter is not None
            and (node.letter is None or (known.letter.is_reply and not node.letter.is_reply))
        ):
            table[subject] = node
    gone: set[int] = set()  # ids of nodes that are below others now
    made: list[Node] = []
    for node in heads:
        subject = _subject(node)
        known = table.get(subject) if subject else None
        if known is None or known is node:
            continue
        gone.add(id(node))
        if known.letter is None:
            known.children += [node] if node.letter is not None else node.children
        elif node.letter is not None and node.letter.is_reply and not known.letter.is_reply:
            known.children.append(node)
        else:
            both = Node()
            both.children = [known, node]
            gone.add(id(known))
            made.append(both)
            table[subject] = both
    return [node for node in (*heads, *made) if id(node) not in gone]


def _subject(node: Node) -> bytes:
    letter = node.letter or node.children[0].letter
    return letter.subject if letter is not None else b""


def _sorted(heads: list[Node]) -> list[Node]:
    """Step 6: siblings by sent date, from the lowest level up."""
    for node in reversed(_downwards(heads)):
        if len(node.children) > 1:
            node.children = _in_order(node.children, _order)
    return _in_order(heads, _order)


def _newest(head: Node) -> tuple[int, int]:
    return max((node.letter.sent_at, node.letter.uid) for node in _downwards([head]) if node.letter)


def write(heads: Iterable[Node]) -> bytes:
    """``(1 2)(3 (4)(5))((6)(7))`` (RFC 5256 4, BASE.7.2.THREAD), by UIDs."""
    told: list[str] = []
    written = bytearray()
    stack: list[Node | None] = list(heads)
    stack.reverse()
    while stack:
        node = stack.pop()
        if len(told) > CHUNK:
            written += "".join(told).encode("ascii")
            told.clear()
        if node is None:
            told.append(")")
            continue
        told.append("(")
        if node.letter is not None:
            told.append(str(node.letter.uid))
            while len(node.children) == 1:
                node = node.children[0]
                assert node.letter is not None  # dummies stand at the top
                told.append(f" {node.letter.uid}")
            if node.children:
                told.append(" ")
        stack.append(None)
        stack += node.children[::-1]
    written += "".join(told).encode("ascii")
    return bytes(written)


ALGORITHMS: dict[bytes, Callable[[Iterable[Letter]], list[Node]]] = {
    b"ORDEREDSUBJECT": ordered_subject,
    b"REFERENCES": references,
    b"REFS": refs,
}
