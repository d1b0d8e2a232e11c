"""What programs say to "sendmail": the options of Sendmail, Postfix and Exim that anything still uses.  Pure.

Options are single letters, may stand together ("-ti"), and have their value attached or next.  What only
tunes Sendmail itself is taken and means nothing here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field


class Mode(enum.Enum):
    """What it is to do; the letter of -b."""

    DELIVER = "m"
    SMTP = "s"
    LIST = "p"
    ALIASES = "i"
    VERIFY = "v"
    FLUSH = "q"  # of -q, which has no -b


class Usage(Exception):
    """The command line makes no sense; a sentence."""


@dataclass(slots=True)
class Options:
    """A command line, understood."""

    mode: Mode = Mode.DELIVER
    from_header: bool = False  # -t: recipients stand in the header
    ignore_dots: bool = False  # -i: a line with a dot alone is no end
    sender: str | None = None  # -f, -r; "" is the null sender
    name: str = ""  # -F
    notify: tuple[str, ...] = ()  # -N: "never", or of "success", "failure", "delay" (RFC 3461 4.1)
    ret: str = ""  # -R: "full" or "hdrs" (RFC 3461 4.3)
    envid: str = ""  # -V (RFC 3461 4.4)
    verp: str = ""  # -XV: delimiters of a sender that names the recipient
    config: str = ""  # -C
    verbose: bool = False  # -v
    flush: tuple[str, str] = ("", "")  # -qR, -qS, -qI: what of the queue, by which text or number
    recipients: list[str] = field(default_factory=list)


FLAGS = frozenset("tivnmUGIxsEg")
VALUES = frozenset("BCDFfhLNOopRrVXAb")  # value attached, or the next word
MAYBE = frozenset("qde")  # value attached, or none

MODES = {each.value: each for each in Mode if each is not Mode.FLUSH}
SOME = {"R": "a domain or a recipient", "S": "a sender", "I": "a number of the queue"}  # of -q
NOTIFY = frozenset(("success", "failure", "delay"))
NAMES = {"mailq": Mode.LIST, "newaliases": Mode.ALIASES}


def parse(arguments: Sequence[str], name: str = "sendmail") -> Options:
    """A command line; ``name`` is what the program was called as.  Raises Usage."""
    options = Options(mode=NAMES.get(name, Mode.DELIVER))
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            options.recipients += words
            break
        if not word.startswith("-") or word == "-":
            options.recipients.append(word)
            continue
        _letters(options, word[1:], words)
    return options


def _letters(options: Options, letters: str, words: list[str]) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in FLAGS:
            _flag(options, letter)
            continue
        if letter in VALUES:
            if not letters and not words:
                raise Usage(f"option -{letter} needs a value")
            value = letters or words.pop(0)
        elif letter in MAYBE:
            value = letters
        else:
            raise Usage(f"no such option: -{letter}")
        _value(options, letter, value)
        return


def _flag(options: Options, letter: str) -> None:
    if letter == "t":
        options.from_header = True
    elif letter == "i":
        options.ignore_dots = True
    elif letter == "v":
        options.verbose = True
    elif letter == "I":
        options.mode = Mode.ALIASES


def _value(options: Options, letter: str, value: str) -> None:
    if letter == "b":
        if value not in MODES:
            raise Usage(f"-b{value} is not for this command: `quintet serve` is the server")
        options.mode = MODES[value]
    elif letter == "q":
        if options.mode is Mode.DELIVER:
            options.mode = Mode.FLUSH
        if value[:1] in SOME:
            if not value[1:] or (value[0] == "I" and not re.fullmatch("[0-9]+", value[1:])):
                raise Usage(f"-q{value[0]} needs {SOME[value[0]]}")
            options.flush = value[0], value[1:]
    elif letter in "fr":
        options.sender = value.strip().removeprefix("<").removesuffix(">")
    elif letter == "F":
        options.name = value
    elif letter == "C":
        options.config = value
    elif letter == "V":
        options.envid = value
    elif letter == "X" and value.startswith("V"):  # as Postfix has it; else the name of a log file
        options.verp = value[1:] or "+="
    elif letter == "o":
        options.ignore_dots |= value == "i"
    elif letter == "O":
        options.ignore_dots |= value.lower().startswith("ignoredots")
    elif letter == "N":
        options.notify = _notify(value)
    elif letter == "R":
        if value.lower() not in ("full", "hdrs"):
            raise Usage("-R is full or hdrs")
        options.ret = value.lower()


def _notify(value: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(word.strip().lower() for word in value.split(",")))
    if wanted == ("never",) or (wanted and NOTIFY.issuperset(wanted)):
        return wanted
    raise Usage("-N is never, or some of success, failure and delay")
