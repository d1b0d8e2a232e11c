"""Fixtures of the address book's tests."""

from tests.support.stores import store
from tests.unit.mapi.nspi.desk import desk

__all__ = ["desk", "store"]
