"""Values of options: what an annotation accepts, and how sizes and durations are written by people.

A number whose unit is bytes or a time may be given as a number in that unit or as text ("50 MB", "5m").
Where the text came from, and in which line, is ``load``'s business.
"""

from __future__ import annotations

import math
import re
from typing import Any

SIZES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
"""Powers of 1024: a "50 MB" limit as mail administrators mean it."""

TIMES = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""Seconds in a unit."""

MAX_NUMBER = 2**63  # what the rest of the house takes for a whole number

TIME_UNITS = {"ms": "ms", "s": "s", "min": "min", "h": "h", "days": "d"}
"""Units that an option may count time in, and the key of ``TIMES``."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)
_LONG_TIMES = {"sec": "s", "second": "s", "minute": "m", "hour": "h", "hr": "h", "day": "d", "week": "w"}


def size(text: str) -> int | None:
    """Bytes that "50 MB", "64k" or "1.5 GiB" mean; None when it is no size."""
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    return round(float(match[1]) * SIZES[match[2].lower()])


def seconds(text: str) -> float | None:
    """Seconds that "5m", "1h 30m", "250 ms" or "2 days" mean; None when it is no duration."""
    at, total = 0, 0.0
    text = text.strip()
    while at < len(text):
        match = _TIME.match(text, at)
        if match is None:
            return None
        word = match[2].lower()
        word = word if word in TIMES else word.removesuffix("s")
        factor = TIMES.get(_LONG_TIMES.get(word, word))
        if factor is None:
            return None
        total += float(match[1]) * factor
        at = match.end()
    return total if text else None


def number(value: object, unit: str, whole: bool) -> int | float | None:
    """A number in ``unit``; text is taken where the unit has a way to be written.  None: not that."""
    amount: float | None = None
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) >= MAX_NUMBER):
        return None
    if isinstance(value, (int, float)):
        amount = value
    elif isinstance(value, str) and unit == "bytes":
        amount = size(value)
    elif isinstance(value, str) and unit in TIME_UNITS:
        spent = seconds(value)
        amount = None if spent is None else spent / TIMES[TIME_UNITS[unit]]
    if amount is None or math.isnan(amount):
        return None
    if not whole:
        return amount
    rounded = round(amount) if abs(amount) < MAX_NUMBER else None
    return rounded if rounded is not None and abs(rounded - amount) < 1e-9 else None


def written(value: Any, unit: str) -> str:  # Any: whatever an option may hold
    """A value as it stands in a TOML file, with its unit where that reads better: ``"50 MB"``, ``"5m"``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)) and value:
        if unit == "bytes" and isinstance(value, int):
            return _round(value, (("TB", 1024**4), ("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)), " ")
        if unit in TIME_UNITS:
            amount = value * TIMES[TIME_UNITS[unit]]
            shown = round(amount)
            if abs(shown - amount) < 1e-9 and shown >= 60:
                return _round(shown, (("d", 86400), ("h", 3600), ("m", 60)), "", plain=repr(value))
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (list, tuple, frozenset, set)):
        return "[" + ", ".join(written(each, unit) for each in value) + "]"
    if isinstance(value, dict):
        inner = ", ".join(f"{key(name)} = {written(each, unit)}" for name, each in value.items())
        return "{" + inner + "}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value)


def _round(value: int, steps: tuple[tuple[str, int], ...], gap: str, plain: str | None = None) -> str:
    for name, step in steps:
        if value >= step and value % step == 0:
            return f'"{value // step}{gap}{name}"'
    return plain if plain is not None else str(value)


def key(text: str) -> str:
    """A key as it stands in a TOML file: quoted only where it must be."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _quoted(text)


def _quoted(text: str) -> str:
    out = ['"']
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char < " " or char == "\x7f":
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return "".join(out) + '"'
