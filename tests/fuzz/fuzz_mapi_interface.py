"""Fuzz target: any bytes where a program of the MAPI interface brings some back: ids, states, keys, streams.

Only MAPI's errors may come out.
"""

from __future__ import annotations

import contextlib
import functools

from quintet.mapi import consts, pr
from quintet.mapi.core import errors, ics
from quintet.mapi.core.profile import Profile, used
from quintet.mapi.core.session import IMAPISession, opened
from quintet.mapi.core.stream import IStream
from quintet.mapi.core.structs import SPropValue, SSort, SSortOrderSet

_STATE = IStream()
ics.write_state(_STATE, ics.State(keys={b"entry": b"key"}))
_STATE.Seek(0)
SEEDS: list[bytes] = [
    b"\0" + bytes(4) + b"x" * 40,
    b"\1" + _STATE.Read(1000),
    b"\2" + bytes(12),
    b"\3" + "text".encode("utf-16-le"),
    b"\4" + bytes(24 + 28),
]


@functools.cache
def _session() -> IMAPISession:
    return opened(Profile([used("MEMORY", None, {"world": "fuzz", "account": "ann@example.com"})]))


def target(data: bytes) -> None:
    store = _session().OpenMsgStore(0, None, None, consts.MDB_WRITE)
    folder = store.OpenEntry(store.GetReceiveFolder("")[0], None, consts.MAPI_MODIFY)
    which, rest = data[:1], data[1:]
    with contextlib.suppress(errors.MAPIError):
        if which == b"\0":
            _session().OpenEntry(rest)
        elif which == b"\1":
            exporter = folder.OpenProperty(pr.CONTENTS_SYNCHRONIZER, consts.IID_IExchangeExportChanges, 0, 0)
            exporter.Config(IStream(rest), consts.SYNC_NORMAL | consts.SYNC_ASSOCIATED, None)
        elif which == b"\2":
            table = folder.GetContentsTable()
            table.SortTable(SSortOrderSet([SSort(pr.SUBJECT, 0)], 1, 0))
            table.ExpandRow(rest, 10)
        elif which == b"\3":
            message = folder.CreateMessage()
            stream = message.OpenProperty(
                pr.BODY, consts.IID_IStream, 0, consts.MAPI_CREATE | consts.MAPI_MODIFY
            )
            stream.Write(rest)
            stream.Commit()
            message.SetProps([SPropValue(pr.RTF_COMPRESSED, rest), SPropValue(pr.HTML, rest)])
            message.GetProps(None, consts.MAPI_UNICODE)
        else:
            folder.GetContentsTable().SetCollapseState(0, rest)
