"""A program that keeps a table's rows by nothing but what it is told of them."""

from __future__ import annotations

import time

from quintet.mapi import consts, pr
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.notify import IMAPIAdviseSink
from quintet.mapi.core.structs import TABLE_NOTIFICATION
from quintet.mapi.core.table import IMAPITable

WAIT_S = 60.0  # for news that come in a thread of their own

KINDS = {
    consts.TABLE_CHANGED: "changed", consts.TABLE_ERROR: "error", consts.TABLE_RELOAD: "reload",
    consts.TABLE_ROW_ADDED: "+", consts.TABLE_ROW_DELETED: "-", consts.TABLE_ROW_MODIFIED: "*",
    consts.TABLE_SORT_DONE: "sorted", consts.TABLE_RESTRICT_DONE: "restricted",
    consts.TABLE_SETCOL_DONE: "columns",
}  # fmt: skip


def subjects_of(folder: IMAPIFolder) -> IMAPITable:
    """A table as a `Client` reads it."""
    found = folder.GetContentsTable(consts.MAPI_UNICODE)
    found.SetColumns([pr.SUBJECT, pr.INSTANCE_KEY])
    return found


class Client:
    """Keeps a table's rows by nothing but its news."""

    def __init__(self, table: IMAPITable) -> None:
        self.said: list[str] = []
        self.table = table
        self.rows = {row[1].Value: row[0].Value for row in table.QueryRows(1000)}
        self.connection = table.Advise(consts.fnevTableModified, IMAPIAdviseSink(self.hear))

    def hear(self, news: list[TABLE_NOTIFICATION]) -> None:
        for one in news:
            kind = KINDS[one.ulTableEvent]
            if kind in "+-*":
                self.apply(kind, one)
            else:
                self.said.append(kind)

    def apply(self, kind: str, one: TABLE_NOTIFICATION) -> None:
        key = one.propIndex.Value
        old = self.rows.pop(key, None)
        assert (old is None) == (kind == "+")
        if kind == "-":
            self.said.append(f"-{old}")
            return
        subject = one.row[0].Value
        assert one.row[1].Value == key
        order = list(self.rows.items())
        at = 0 if one.propPrior.ulPropTag == 1 else list(self.rows).index(one.propPrior.Value) + 1
        self.rows = dict([*order[:at], (key, subject), *order[at:]])
        self.said.append(f"{kind}{subject}")

    def shown(self) -> str:
        return "".join(self.rows.values())

    def wait(self, *said: str) -> list[str]:
        """Until all of these were said; then what else was, too, and the rows are those of the table."""
        end = time.monotonic() + WAIT_S
        while not set(said) <= set(self.said) and time.monotonic() < end:
            time.sleep(0.01)
        assert set(said) <= set(self.said), self.said
        return self.check()

    def check(self) -> list[str]:
        """What was said since; the rows are those of the table."""
        self.table.SeekRow(consts.BOOKMARK_BEGINNING, 0)
        assert self.shown() == "".join([row[0].Value for row in self.table.QueryRows(1000)])
        said, self.said = self.said, []
        return said
