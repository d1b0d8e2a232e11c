"""TNEF, the winmail.dat that carries an item's properties through mail: bytes and items (MS-OXTNEF).

Pure.
"""

from quintet.mapi.tnef.reading import read
from quintet.mapi.tnef.writing import chunks, write

__all__ = ["chunks", "read", "write"]
