"""Functions of MAPICore and MAPI.Util: sessions by user and password, the stores that programs begin with,
sessions that are kept as bytes, notifications that are waited for.
"""

from __future__ import annotations

import queue
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from quintet.mapi import consts, match, names
from quintet.mapi.core import session, values
from quintet.mapi.core.errors import fail
from quintet.mapi.core.message import IMessage
from quintet.mapi.core.notify import MAPIAdviseSink
from quintet.mapi.core.profile import SECRET, WHERE, WHO, Profile, options_by_id, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
from quintet.mapi.core.structs import NOTIFICATION, SRestriction
from quintet.mapi.core.unknown import IUnknown
from quintet.mapi.providers import derive
from quintet.mapi.providers.base import Special


def OpenECSession(
    user: str | bytes, password: str | bytes, path: str | bytes | None, **keywords: object
) -> IMAPISession:
    """Logs on.  ``path``: where the server is, "default:" or None for the one that `compat.install` said.

    ``providers``: names of services instead of that one.  ``flags`` and ``sslkey_file`` are taken and mean
    nothing.
    Raises MAPIErrorLogonFailed, MAPIErrorNetworkError.
    """
    wanted = keywords.get("providers") or ("ZARAFA6",)
    assert isinstance(wanted, tuple | list)
    services = []
    for each in wanted:
        one = used(_text(each))
        by_id = options_by_id(one.offer)
        for number, value in ((WHERE, path), (WHO, user), (SECRET, password)):
            text = _text(value)
            if number in by_id and text and text != "default:":
                one.settings[by_id[number]] = text
        services.append(one)
    return session.opened(Profile(services), name=f"__pr__{uuid.uuid4().hex}")


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value or "")


def GetDefaultStore(mapi: IMAPISession) -> IMsgStore | None:
    """The default store, to be changed; None where the profile has none."""
    return mapi.OpenMsgStore(0, None, None, consts.MDB_WRITE) if mapi.sources() else None


def GetPublicStore(mapi: IMAPISession) -> IMsgStore | None:
    """The public folders; None where there are none."""
    for _, source in mapi.sources():
        if Special.PUBLIC in source.special():
            return mapi.OpenMsgStore(0, source.entry_id, None, consts.MDB_WRITE)
    return None


def kc_session_save(mapi: IMAPISession) -> bytes:
    """What opens the same services again, also in another process.  The passwords are in it."""
    return msgspec.msgpack.encode(mapi._profile)


def kc_session_restore(data: bytes) -> IMAPISession:
    """A session of its own over the same services.

    Raises MAPIErrorInvalidParameter: not what kc_session_save gave; MAPIErrorLogonFailed.
    """
    try:
        found = msgspec.msgpack.decode(data, type=Profile)
    except (msgspec.DecodeError, TypeError, RecursionError) as error:
        raise fail("MAPI_E_INVALID_PARAMETER", "no session that was saved") from error
    return session.opened(found, name=f"__pr__{uuid.uuid4().hex}")


def TestRestriction(restriction: SRestriction, message: IMessage) -> None:
    """Raises MAPIErrorNotFound: the message does not match."""
    matcher = match.compiled(values.restriction(restriction))
    item = message.contents()
    row = [item.props.get(names.key(tag)) for tag in matcher.keys]
    if not matcher.test(row, lambda table: derive.parts(item, table)):
        raise fail("MAPI_E_NOT_FOUND", "it does not match")


def UnwrapObject(wrapped: IUnknown) -> IUnknown:
    """The object itself: nothing wraps one here."""
    return wrapped


class MAPINotifSink(MAPIAdviseSink):
    """Keeps what happened until somebody asks."""

    def __init__(self, interfaces: Sequence[bytes] = ()) -> None:
        super().__init__(interfaces)
        self._came: queue.SimpleQueue[NOTIFICATION] = queue.SimpleQueue()

    def OnNotify(self, notifications: Sequence[NOTIFICATION]) -> int:
        for one in notifications:
            self._came.put(one)
        return 0

    def GetNotifications(self, nonblock: bool = False, timeout_ms: int = 0) -> list[NOTIFICATION]:
        """What came.  Unless ``nonblock``, waits for the first up to ``timeout_ms``; 0: for ever."""
        found: list[NOTIFICATION] = []
        try:
            if not nonblock:
                found.append(self._came.get(timeout=timeout_ms / 1000 if timeout_ms else None))
            while True:
                found.append(self._came.get_nowait())
        except queue.Empty:
            return found

    def WaitForNotification(self, timeout_s: int = 0) -> list[NOTIFICATION]:
        """As GetNotifications, in seconds."""
        return self.GetNotifications(False, timeout_s * 1000)


FUNCTIONS: dict[str, Any] = {
    each.__name__: each
    for each in (kc_session_save, kc_session_restore, TestRestriction, UnwrapObject, MAPINotifSink)
}
