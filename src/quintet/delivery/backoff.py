"""When to try again, when to warn, when to give up.  Pure.  RFC 5321 4.5.4.1."""

from __future__ import annotations

from collections.abc import Sequence

JITTER = 0.1  # of a wait, both ways: tries that began together do not stay together


def next_try(attempts: int, now: int, schedule_s: Sequence[float], random: float) -> int:
    """When try number ``attempts`` + 1 is due, in ms, after ``attempts`` (>= 1) failed ones.

    ``random`` in [0, 1) varies the wait by `JITTER`; 0.5 is the schedule itself.
    """
    wait = schedule_s[min(attempts, len(schedule_s)) - 1]
    return now + max(1000, round(wait * 1000 * (1 + JITTER * (2 * random - 1))))


def expired(next_due: int, expires_at: int) -> bool:
    """No further try fits in."""
    return next_due >= expires_at


def warn(created_at: int, now: int, after_s: float, warned: bool) -> bool:
    """It is time for the one notice that mail is late."""
    return after_s > 0 and not warned and now - created_at >= after_s * 1000
