"""A secret key in a file of its own, made once and shared by all workers."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

SIZE = 32  # bytes


def load(path: Path) -> bytes:
    """The key in ``path``; made if there is none.  Raises OSError; ValueError if it is too short."""
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if len(key) < SIZE:
        raise ValueError(f"{path}: a key has at least {SIZE} bytes")
    return key


def _make(path: Path) -> None:
    """Whole or not at all, and only one of two processes that start together wins."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # another worker's key stands
    finally:
        draft.unlink()
