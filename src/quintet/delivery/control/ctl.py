"""Who may ask what: rules of the form ``message:from:newsgroups:action``, of which the last that fits counts.

The syntax is that of INN's control.ctl, with its lines for charsets and for the changes one checkgroups may
make.  Pure; what an action leads to is `work`'s.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable
from dataclasses import field

from quintet.values import dataclass

MAX_RULES = 20_000  # INN's own file has about a thousand
MAX_PATTERN = 1000  # characters of one pattern
WORDS = ("doit", "drop", "log", "mail", "verify")
MESSAGES = frozenset(
    ("all", "checkgroups", "newgroup", "rmgroup", "sendsys", "senduuname", "version", "whogets", "ihave",
     "sendme", "cancel", "unknown")
)  # fmt: skip


class BadRule(ValueError):
    """A line that cannot be meant; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Action:
    """What to do with a message."""

    word: str  # one of `WORDS`
    key: str = ""  # of verify: the name, or fingerprint, of the key that must have signed
    log: str = ""  # "mail": tell the newsmaster as well; anything else is only noted

    @property
    def mails(self) -> bool:
        return self.word == "mail" or self.log == "mail"

    def __str__(self) -> str:
        word = f"verify-{self.key}" if self.word == "verify" else self.word
        return f"{word}={self.log}" if self.log else word


DROP = Action("drop")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line."""

    message: str
    sender: str  # shell patterns with "|" between, for the address of From
    newsgroups: str  # the same for groups
    action: Action

    def fits(self, message: str, sender: str, group: str) -> bool:
        return (
            self.message in ("all", message)
            and _matches(self.sender, sender)
            and (not group or _matches(self.newsgroups, group))
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """All of them, in their order."""

    rules: tuple[Rule, ...] = ()
    charsets: tuple[tuple[str, str], ...] = ()  # patterns of groups, charset; the last that fits counts
    changes: tuple[tuple[str, int], ...] = ()  # patterns, most changes of one checkgroups; the same

    def find(self, message: str, sender: str, group: str = "") -> Rule | None:
        """The rule that counts; ``group`` "" for messages that name none."""
        sender = sender.lower()
        for rule in reversed(self.rules):
            if rule.fits(message, sender, group):
                return rule
        return None

    def action(self, message: str, sender: str, group: str = "") -> Action:
        found = self.find(message, sender, group)
        return DROP if found is None else found.action

    def charset(self, group: str) -> str:
        """The charset of descriptions that do not say theirs; "" for no rule."""
        return next((name for pattern, name in reversed(self.charsets) if _matches(pattern, group)), "")

    def most_changes(self, group: str, usual: int) -> int:
        return next((most for pattern, most in reversed(self.changes) if _matches(pattern, group)), usual)

    def plus(self, more: Rules) -> Rules:
        """These, and then those of another source, which come later and so count first."""
        return Rules(self.rules + more.rules, self.charsets + more.charsets, self.changes + more.changes)


def parse(text: str) -> Rules:
    """A whole file.  Raises BadRule for the first line that is none."""
    found = _Reading()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            try:
                found.take(line)
            except BadRule as error:
                raise BadRule(f"line {number}: {error}") from None
    return found.rules()


def rule(message: str, sender: str, newsgroups: str, action: str) -> Rule:
    """One rule from its four parts.  Raises BadRule."""
    message = message.strip().lower()
    if message not in MESSAGES:
        raise BadRule(f"no control message is called {message[:40]!r}")
    for pattern in (sender, newsgroups):
        if not pattern.strip() or len(pattern) > MAX_PATTERN:
            raise BadRule("an empty pattern, or a very long one")
    return Rule(message, sender.strip().lower(), newsgroups.strip(), _action(action.strip()))


def _action(text: str) -> Action:
    word, _, log = text.partition("=")
    if word.startswith("verify-") and len(word) > 7:
        return Action("verify", word[7:], log)
    if word == "doifarg":  # of old, for sendsys: never done
        return Action("log", "", log)
    if word not in WORDS or word == "verify":
        raise BadRule(f"no action is called {word[:40]!r}; there are doit, drop, log, mail and verify-KEY")
    return Action(word, "", log)


@dataclass(slots=True)
class _Reading:
    found: list[Rule] = field(default_factory=list)
    charsets: list[tuple[str, str]] = field(default_factory=list)
    changes: list[tuple[str, int]] = field(default_factory=list)

    def take(self, line: str) -> None:
        parts = [part.strip() for part in line.split(":", 3)]
        if parts[0] == "/localencoding/":  # has two fields; ours is UTF-8 (RFC 3977 7.6.6)
            return
        if len(parts) != 4:
            raise BadRule("expected message:from:newsgroups:action")
        message, sender, newsgroups, action = parts
        if len(self.found) >= MAX_RULES:
            raise BadRule(f"more than {MAX_RULES} rules")
        if message == "/encoding/":
            self.charsets.append((newsgroups, action.removesuffix("=force")))
        elif message == "/maxdocheckgroups/":
            if not re.fullmatch(r"\d{1,6}", action):
                raise BadRule(f"expected a number of changes, got {action[:40]!r}")
            self.changes.append((newsgroups, int(action)))
        else:
            self.found.append(rule(message, sender, newsgroups, action))

    def rules(self) -> Rules:
        return Rules(tuple(self.found), tuple(self.charsets), tuple(self.changes))


def of(parts: Iterable[tuple[str, str, str, str]]) -> Rules:
    """Rules from (message, from, newsgroups, action).  Raises BadRule."""
    return Rules(tuple(rule(*each) for each in parts))


def _matches(patterns: str, text: str) -> bool:
    return patterns == "*" or _compiled(patterns).fullmatch(text) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(patterns: str) -> re.Pattern[str]:
    """Shell patterns with "|" between as one expression; `fnmatch` makes them of atomic groups."""
    return re.compile("|".join(f"(?:{fnmatch.translate(each)})" for each in patterns.split("|")))
