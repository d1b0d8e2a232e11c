"""What Extended MAPI's calls raise: `MAPIError`, and a subclass for each code of mapicode.h.

MAPI_E_NOT_FOUND is ``MAPIErrorNotFound``, MAPI_E_NO_ACCESS is ``MAPIErrorNoAccess``, and so on; ``hr`` is the
code. Warnings are no errors: a call that half succeeded says so in what it returns.
"""

from __future__ import annotations

from quintet.errors import Problem
from quintet.mapi import consts
from quintet.mapi.errors import MapiError, of_problem


class MAPIError(Exception):
    """A call failed.  ``hr``: the code (MAPI_E_*, or one of MS-OXCDATA 2.4); ``text``: why, for people."""

    hr: int = 0x80004005

    def __init__(self, hr: int | None = None, text: str = "") -> None:
        self.hr = type(self).hr if hr is None else hr
        self.text = text
        super().__init__(self.hr, text)

    @staticmethod
    def from_hresult(hr: int, text: str = "") -> MAPIError:
        """The error of a code, of its own class where it has one."""
        return _by_code.get(hr & 0xFFFFFFFF, MAPIError)(hr & 0xFFFFFFFF, text)

    def __repr__(self) -> str:
        return f"MAPI error {self.hr:X}"

    @property
    def name(self) -> str:
        """MAPI's name of the code; "" where it has none there."""
        known = _by_code.get(self.hr & 0xFFFFFFFF)
        return str(known.__doc__) if known is not None else ""

    @property
    def descr(self) -> str:
        """As `name`: what python-mapi calls it."""
        return self.name

    def __str__(self) -> str:
        more = ": ".join(filter(None, (self.name, self.text)))
        return f"{self!r} ({more})" if more else repr(self)


def class_name(code: str) -> str:
    """MAPI_E_NOT_FOUND -> MAPIErrorNotFound."""
    return "MAPIError" + "".join([word.capitalize() for word in code.removeprefix("MAPI_E_").split("_")])


def _classes() -> dict[str, type[MAPIError]]:
    made = {}
    for name, code in consts.every().items():
        if name.startswith("MAPI_E_") and isinstance(code, int):
            title = class_name(name)
            made[title] = type(title, (MAPIError,), {"hr": code, "__module__": __name__, "__doc__": name})
    return made


CLASSES = _classes()
_by_code = {each.hr: each for each in CLASSES.values()}


def __getattr__(name: str) -> type[MAPIError]:
    try:
        return CLASSES[name]
    except KeyError:
        raise AttributeError(f"no error of MAPI is called {name}") from None


def told(error: MapiError | Problem) -> MAPIError:
    """What a provider raised, as a program catches it."""
    if isinstance(error, Problem):
        error = of_problem(error)
    return MAPIError.from_hresult(int(error.code), error.text)


def fail(code: str, text: str = "") -> MAPIError:
    """The error of a name: ``raise fail("MAPI_E_NOT_FOUND")``."""
    return CLASSES[class_name(code)](None, text)
