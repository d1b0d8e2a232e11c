"""Dialogs in a terminal, for the calls of MAPI that show one; without a terminal nobody can answer.

Each gives None (or False) where there is no terminal, or where the person ended it (Ctrl-D, Ctrl-C): MAPI
then says that the user cancelled.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence

MAX_CHOICES = 50  # names that are listed at once


def terminal() -> bool:
    """Whether somebody is there."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


def ask(labels: Sequence[str], *, caption: str = "", defaults: Sequence[str] = ()) -> list[str] | None:
    """One answer a label; an empty answer takes the default."""
    if not terminal():
        return None
    try:
        if caption:
            sys.stderr.write(f"{caption}\n")
        answers = []
        for at, label in enumerate(labels):
            default = defaults[at] if at < len(defaults) else ""
            answers.append(_line(f"{label} [{default}]: " if default else f"{label}: ") or default)
        return answers
    except (EOFError, KeyboardInterrupt):
        return None


def secret(label: str) -> str | None:
    """A password, not shown."""
    if not terminal():
        return None
    try:
        return getpass.getpass(f"{label}: ", stream=sys.stderr)
    except (EOFError, KeyboardInterrupt):
        return None


def text(caption: str) -> str | None:
    """Lines up to one with a single dot."""
    if not terminal():
        return None
    try:
        sys.stderr.write(f"{caption} (a line with . ends it)\n")
        lines = []
        while (line := _line("")) != ".":
            lines.append(line)
        return "\r\n".join(lines)
    except (EOFError, KeyboardInterrupt):
        return None


def choose(names: Sequence[str], *, caption: str) -> int | None:
    """Which of several."""
    if not terminal():
        return None
    try:
        sys.stderr.write(f"{caption}\n")
        for number, name in enumerate(names[:MAX_CHOICES], 1):
            sys.stderr.write(f"{number:3} {name}\n")
        answer = _line("Number: ")
    except (EOFError, KeyboardInterrupt):
        return None
    return int(answer) - 1 if answer.isdecimal() and 1 <= int(answer) <= len(names) else None


def confirm(question: str) -> bool:
    """Yes, said by somebody."""
    answer = ask([f"{question} (y/n)"])
    return answer is not None and answer[0].strip().lower() in ("y", "yes")


def show(lines: Sequence[str]) -> bool:
    """False: nobody is there to see it."""
    if not terminal():
        return False
    sys.stderr.write("\n".join(lines) + "\n")
    return True
