"""Which groups and distributions are wanted: the pattern lists of news servers, where ``@`` poisons.

Pure.  A list is read from left to right and the last pattern that matches decides: plain says yes, ``!`` no,
``@`` that the whole article is not wanted (newsfeeds(5) and incoming.conf(5) of INN, in their words).
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterable, Sequence

from quintet.errors import BadSyntax
from quintet.policy.wildmat import MAX_PATTERNS, compile_one

MAX_REMEMBERED = 20_000  # answers kept of one list; a full feed has about so many groups


class Says(enum.Enum):
    """What a list says of one group."""

    NO = 0
    YES = 1
    POISON = 2


class Patterns:
    """A list of patterns, ready to be asked; it remembers its answers."""

    __slots__ = ("_known", "_rules", "poisons", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        words = [word.strip() for word in text.split(",") if word.strip()]
        if len(words) > MAX_PATTERNS:
            raise BadSyntax(f"more than {MAX_PATTERNS} patterns in a list")
        rules: list[tuple[Says, Callable[[str], object]]] = []
        for word in words:
            says = {"!": Says.NO, "@": Says.POISON}.get(word[0], Says.YES)
            body = word if says is Says.YES else word[1:]
            if not body:
                raise BadSyntax("empty pattern in a list")
            rules.append((says, compile_one(body).fullmatch))
        self._rules = tuple(reversed(rules))
        self._known: dict[str, Says] = {}
        self.poisons = any(says is Says.POISON for says, _ in rules)

    def __call__(self, group: str) -> Says:
        known = self._known.get(group)
        if known is None:
            known = next((says for says, matches in self._rules if matches(group)), Says.NO)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[group] = known
        return known

    def of(self, groups: Iterable[str]) -> Says:
        """What the list says of an article in these groups: poison in one spoils it, one yes is enough."""
        best = Says.NO
        for group in groups:
            says = self(group)
            if says is Says.POISON:
                return says
            if says is Says.YES:
                if not self.poisons:
                    return says
                best = says
        return best


@functools.lru_cache(maxsize=256)
def patterns(text: str) -> Patterns:
    """A compiled list.  Raises BadSyntax."""
    return Patterns(text)


def wants(wanted: Sequence[str], distributions: Iterable[str]) -> bool:
    """Whether an article with these distributions goes through ``wanted``: names, and ``!name``.

    One of them is enough.  An empty ``wanted`` wants everything; a list of refusals only wants the rest.
    """
    if not wanted:
        return True
    refused = {word[1:].lower() for word in wanted if word.startswith("!")}
    named = {word.lower() for word in wanted if not word.startswith("!")}
    for each in distributions:
        name = each.lower()
        if name in named or (not named and name not in refused):
            return True
    return False
