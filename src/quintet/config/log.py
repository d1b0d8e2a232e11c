"""What is logged, how much and how it looks: `[log]`."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass

LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Log:
    """Structured log on standard error, one line an event; never a secret, never a message body."""

    level: str = opt("info", "The least important events still written.", choices=LEVELS)
    format: str = opt(
        "auto",
        "human: aligned and coloured; json: one object a line; auto: human on a terminal, else json.",
        choices=("auto", "human", "json"),
    )
    levels: dict[str, str] = opt(
        {}, 'Another level for single rooms of the program, as in {smtp = "debug", store = "warning"}.'
    )
