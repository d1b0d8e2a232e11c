"""Objects of the one store as MAPI sees it: logons, folders, messages, attachments, tables.

Plain synchronous classes over a transaction; who runs them and answers the client is another room's business.
"""

from quintet.mapi.objects.attachment import Attachment, Embedded
from quintet.mapi.objects.bagged import Trouble
from quintet.mapi.objects.box import Box, Reader, logon, mapped, reader_of
from quintet.mapi.objects.errands import Errand, Services
from quintet.mapi.objects.folder import Folder
from quintet.mapi.objects.foldercore import Wish
from quintet.mapi.objects.itemlike import ItemLike
from quintet.mapi.objects.message import Message

__all__ = [
    "Attachment",
    "Box",
    "Embedded",
    "Errand",
    "Folder",
    "ItemLike",
    "Message",
    "Reader",
    "Services",
    "Trouble",
    "Wish",
    "logon",
    "mapped",
    "reader_of",
]
