"""MAPI: the interface of programs to messaging systems, and what Exchange's clients speak.

For programs: ``mapi.open(profile)`` and ``mapi.connect(service, ...)`` begin a `Session` of the pleasant
layer, `quintet.mapi.api`; `core` is Extended MAPI, `simple` and `cmc` are the older interfaces, `providers`
the systems that are reached.  For the server: `http`, `rop`, `nspi`, `objects`.  For both: the codecs,
`convert`, `table`.  Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def __getattr__(name: str) -> Any:  # Any: whatever the layer offers
    # an import of a module below asks here first, and must not bring the whole layer along
    if importlib.util.find_spec(f"{__name__}.{name}") is None:
        api = importlib.import_module("quintet.mapi.api")
        if name in api.__all__:
            return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """With what the layer offers, for those who look around."""
    return sorted({*globals(), *importlib.import_module("quintet.mapi.api").__all__})
