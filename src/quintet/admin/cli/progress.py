"""Progress bars: on a terminal only, on standard error, so that output can still be piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[int], None]


@contextmanager
def bar(label: str, total: int | None, *, quiet: bool = False, unit: str = "") -> Iterator[Step]:
    """Gives a function to call with what was done since; ``total`` None when it is not known.

    ``unit`` "bytes" shows sizes instead of counts.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # a bar is drawn only for people
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    count: ProgressColumn = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    with Progress(
        TextColumn(label), BarColumn(), count, TimeRemainingColumn(), console=Console(stderr=True)
    ) as progress:
        task = progress.add_task(label, total=total)
        yield lambda amount: progress.advance(task, amount)
