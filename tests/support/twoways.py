"""Two folders of two stores that are kept alike by ICS, and people who write on both sides."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from quintet.mapi import consts, pr
from quintet.mapi.core import props
from quintet.mapi.core.folder import IMAPIFolder
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import SPropValue

FLAGS = consts.SYNC_NORMAL | consts.SYNC_READ_STATE
MAX_STEPS = 1000


@dataclass
class Side:
    """A folder, and how far it has told the other side."""

    folder: IMAPIFolder
    state: IStream = field(default_factory=IStream)

    def rows(self) -> list[tuple[str, bool, bytes]]:
        """Subject, read or not, id; in the order of subjects."""
        table = self.folder.GetContentsTable(consts.MAPI_UNICODE)
        table.SetColumns([pr.SUBJECT, pr.MESSAGE_FLAGS, pr.ENTRYID])
        found = [(row[0].Value, bool(row[1].Value & 1), row[2].Value) for row in table.QueryRows(1000)]
        return sorted(found)

    def shown(self) -> list[tuple[str, bool]]:
        return [(subject, read) for subject, read, _ in self.rows()]

    def write(self, subject: str, *, read: bool = False) -> bytes:
        message = self.folder.CreateMessage()
        message.SetProps([SPropValue(pr.SUBJECT, subject), SPropValue(pr.BODY, f"text of {subject}")])
        message.SaveChanges(consts.KEEP_OPEN_READWRITE)
        entry: bytes = props.one(message, pr.ENTRYID).Value
        self.mark(entry, read=read)
        return entry

    def change(self, entry: bytes, subject: str) -> None:
        message = self.folder.OpenEntry(entry, None, consts.MAPI_MODIFY)
        message.SetProps([SPropValue(pr.SUBJECT, subject)])
        message.SaveChanges(0)

    def mark(self, entry: bytes, *, read: bool) -> None:
        self.folder.SetReadFlags([entry], 0, None, 0 if read else consts.CLEAR_READ_FLAG)

    def tell(self, other: Side) -> int:
        """Hands over what is new; how many changes there were."""
        importer = other.folder.OpenProperty(
            pr.COLLECTOR, consts.IID_IExchangeImportContentsChanges, 0, consts.MAPI_MODIFY
        )
        importer.Config(other.state, 0)
        exporter = self.folder.OpenProperty(pr.CONTENTS_SYNCHRONIZER, consts.IID_IExchangeExportChanges, 0, 0)
        exporter.Config(self.state, FLAGS, importer, None, None, None, 0)
        steps = done = 0
        for _ in range(MAX_STEPS):
            steps, done = exporter.Synchronize(done)
            if done == steps:
                break
        exporter.UpdateState(self.state)
        importer.UpdateState(None)
        return int(steps)


def meet(one: Side, other: Side) -> None:
    """Both ways, twice; then neither has anything to tell, and both show the same."""
    for _ in range(2):
        one.tell(other)
        other.tell(one)
    assert (one.tell(other), other.tell(one)) == (0, 0)
    assert one.shown() == other.shown()


def live(one: Side, other: Side, seed: int, rounds: int, wait: Callable[[], None]) -> None:
    """Things happen on both sides, also to the same messages, before they meet again."""
    chance = random.Random(seed)
    number = 0
    for _ in range(rounds):
        for _ in range(chance.randint(1, 6)):
            side = chance.choice((one, other))
            number += 1
            rows = side.rows()
            wait()
            act = chance.choice(("write", "write", "change", "change", "read", "delete"))
            if act == "write" or not rows:
                side.write(f"m{number}", read=chance.random() < 0.5)
                continue
            subject, read, entry = chance.choice(rows)
            if act == "change":
                side.change(entry, f"{subject.partition(' ')[0]} v{number}")
            elif act == "read":
                side.mark(entry, read=not read)
            else:
                side.folder.DeleteMessages([entry])
        meet(one, other)
