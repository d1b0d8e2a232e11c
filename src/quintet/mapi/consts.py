"""MAPI's constants by the names of its C headers: ``consts.MAPI_MODIFY``, ``consts.IID_IMessage``.

Numbers are ``int``; GUIDs are 16 bytes as they lie in memory, the form in which MAPI passes interface ids.
Read from the list beside this file when first asked.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any


@functools.cache
def every() -> dict[str, int | bytes]:
    """Every name with its value."""
    found: dict[str, int | bytes] = {}
    for line in resources.files("quintet.mapi").joinpath("consts.tsv").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, value = line.split("\t")
        found[name] = int(value, 16) if value.startswith("0x") else bytes.fromhex(value)
    return found


def __getattr__(name: str) -> Any:  # Any: an int, or a GUID's bytes
    try:
        found = every()[name]
    except KeyError:
        raise AttributeError(f"MAPI has no {name}") from None
    globals()[name] = found  # the next look costs nothing
    return found
