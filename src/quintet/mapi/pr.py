"""The properties that programs name, by the names of the C headers without PR_: ``pr.SUBJECT``, ``pr.BODY``.

Text has the wide type.  A name that nobody knows is an AttributeError; a test looks for such in our sources.
"""

from __future__ import annotations

from quintet.mapi import tags
from quintet.mapi.types import Tag


def __getattr__(name: str) -> Tag:
    try:
        found = tags.tag("PR_" + name)
    except KeyError:
        raise AttributeError(f"no property is called PR_{name}") from None
    globals()[name] = found  # the next look costs nothing
    return found
