"""MAPI.Util: a session by user and password, and the stores that programs begin with."""

from __future__ import annotations

import uuid

from quintet.mapi import consts
from quintet.mapi.core import session
from quintet.mapi.core.profile import SECRET, WHERE, WHO, Profile, options_by_id, used
from quintet.mapi.core.session import IMAPISession
from quintet.mapi.core.store import IMsgStore
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
