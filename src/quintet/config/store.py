"""Options of the store: where the data lies and how much of the machine it may use."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass


@dataclass(frozen=True, slots=True)
class Store:
    """The section ``[store]``."""

    data: str = opt("data", "Directory of the database, large bodies, spool and sockets.", reload=False)
    engine: str = opt(
        "sqlite",
        "Database engine: the embedded one needs nothing else.",
        choices=("sqlite",),
        reload=False,
    )
    readers: int = opt(
        2, "Threads for long reads (searches, exports).", unit="threads", minimum=1, maximum=64, reload=False
    )
    cache: int = opt(
        16 * 1024 * 1024,
        "Page cache of each database connection; the system's file cache comes on top.",
        unit="bytes",
        minimum=1024 * 1024,
        reload=False,
    )
    map: int = opt(
        1024 * 1024 * 1024,
        "How much of the database file the loop of each worker maps into memory for reading; the pages are"
        " shared by all processes.",
        unit="bytes",
        minimum=0,
        reload=False,
    )
    sync: str = opt(
        "full",
        "When a commit is flushed: 'full' before it is acknowledged; 'off' is for tests and imports only.",
        choices=("full", "off"),
        reload=False,
    )
    reserve: int = opt(
        64 * 1024 * 1024,
        "Free disk space below which new messages are put off.",
        unit="bytes",
        minimum=0,
    )
    orphan_age: int = opt(
        24 * 3600, "Age at which a file that no row names is removed.", unit="s", minimum=3600
    )
    garbage_age: int = opt(
        3600,
        "How long the content of an expunged message stays, so that a session just sending it can finish.",
        unit="s",
        minimum=0,
    )
    trace_days: int = opt(14, "How long the trace of a message is kept.", unit="days", minimum=0)
    history_days: int = opt(
        30, "How long the Message-ID of an article that is gone is remembered.", unit="days", minimum=1
    )
