"""Data classes whose instances nobody changes, made as quickly as others.

``@dataclass(frozen=True)`` is a promise that the type checker holds everybody to.  At run time it would cost
70 ns a field of each instance, as each is set by a call, and a third of what it takes to make a class; so it
is left out there (docs/decisions/0247).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass  # the checker must take it for that one

    __all__ = ["dataclass"]
else:

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        """As `dataclasses.dataclass`; hashes of frozen ones are by value as well."""
        if options.pop("frozen", False) and options.get("eq", True):
            options["unsafe_hash"] = True
        made = dataclasses.dataclass(**options)
        return made if cls is None else made(cls)
