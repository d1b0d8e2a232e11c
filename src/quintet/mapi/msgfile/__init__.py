"""The .msg file of Outlook: an item, with all that is in it, as a file (MS-OXMSG).  Pure."""

from quintet.mapi.msgfile.reading import read
from quintet.mapi.msgfile.writing import chunks, write

__all__ = ["chunks", "read", "write"]
