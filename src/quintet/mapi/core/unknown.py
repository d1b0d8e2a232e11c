"""IUnknown: what every object of Extended MAPI has, and the border where errors get MAPI's names.

A method whose name begins with a capital is one of MAPI's: it runs under the session's lock, and what a
provider raises below it comes out as a `MAPIError`.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from quintet.errors import Problem
from quintet.mapi import consts
from quintet.mapi.core import errors, structs
from quintet.mapi.core.errors import MAPIError, fail
from quintet.mapi.errors import MapiError


class IUnknown:
    """``iids``: the interfaces that the object answers to, 16 bytes each."""

    iids: ClassVar[tuple[str, ...]] = ()
    _last: MAPIError | None = None
    _lock: threading.RLock

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            if name[0].isupper() and inspect.isfunction(method):
                setattr(cls, name, _told(method))

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self._lock = lock or threading.RLock()

    def QueryInterface(self, iid: bytes | None) -> Any:
        """The object itself.  Raises MAPIErrorInterfaceNotSupported."""
        known = {name for each in type(self).__mro__ for name in vars(each).get("iids", ())}
        if iid is None or iid == bytes(16) or iid in [getattr(consts, name) for name in known]:
            return self
        raise fail("MAPI_E_INTERFACE_NOT_SUPPORTED")

    def GetLastError(self, hr: int, flags: int = 0) -> structs.MAPIERROR | None:
        """Of the code ``hr``, where that was this object's last error."""
        last = self._last
        if last is None or last.hr != hr & 0xFFFFFFFF:
            return None
        return structs.MAPIERROR(0, str(last), "Quintet", 0, 0)


_MAY_BE_ABSENT = ("None", "object", "Any")  # in what a parameter's annotation says


def _told(method: Callable[..., Any]) -> Callable[..., Any]:
    given = list(inspect.signature(method).parameters.values())[1:]
    needed = [not any(word in str(one.annotation) for word in _MAY_BE_ABSENT) for one in given]

    @functools.wraps(method)
    def call(self: IUnknown, *args: Any, **kwargs: Any) -> Any:
        try:
            # the pointer that C programs must not give as NULL
            if None in args and any(one is None and must for one, must in zip(args, needed, strict=False)):
                raise fail("MAPI_E_INVALID_PARAMETER", f"{method.__name__} was given None")
            with self._lock:
                return method(self, *args, **kwargs)
        except (MapiError, Problem) as error:
            self._last = errors.told(error)
            raise self._last from error
        except MAPIError as error:
            self._last = error
            raise

    return call
