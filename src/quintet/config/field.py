"""One configuration option: type, default, unit, limits and meaning in one place.

Sections are frozen dataclasses, one file each, owned by the room that reads them.  The loader, the
annotated example and the documentation are generated from them.
"""

from __future__ import annotations

import dataclasses
from typing import Any


def opt(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    reload: bool = True,
) -> Any:  # Any: the field's own annotation is its type
    """A dataclass field with its documentation.

    ``unit`` is what a number counts ("bytes", "s", "messages"); ``choices`` the allowed words;
    ``secret`` values are never shown; ``reload=False`` needs a restart to take effect.
    A ``default`` of type list or dict is copied for each instance.
    """
    metadata = {
        "doc": doc,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "secret": secret,
        "reload": reload,
    }
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
