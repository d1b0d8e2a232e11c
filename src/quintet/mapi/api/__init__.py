"""The pleasant way to MAPI: sessions, stores, folders and items as Python's people expect them.

    from quintet import mapi

    with mapi.connect("MEMORY", account="ann@example.com") as session:
        lunch = mapi.Message.subject.contains("lunch")
        for item in session.store.inbox.items(order="-received", where=lunch):
            print(item.sender, item.subject)

Everything stands on `quintet.mapi.core`, which is one to one with Extended MAPI: ``session.mapi``,
``store.mapi``, ``folder.mapi`` and ``item.mapi`` are its objects.  What fails raises
`MapiError`, whose ``code`` says why.
"""

from quintet.mapi.api.calendar import Appointment, Busy, Occurrence, Response, between
from quintet.mapi.api.contacts import Contact, Group
from quintet.mapi.api.documents import Document, Version
from quintet.mapi.api.fields import Field, Where
from quintet.mapi.api.folder import Change, Folder, Sync
from quintet.mapi.api.item import FlagStatus, Importance, Item, Message, Post, Report, Sensitivity
from quintet.mapi.api.meetings import MeetingCancellation, MeetingRequest, MeetingResponse
from quintet.mapi.api.parts import Attachment
from quintet.mapi.api.people import Person
from quintet.mapi.api.planning import calendars_of, find_times, free_busy
from quintet.mapi.api.query import Items
from quintet.mapi.api.series import Recurrence
from quintet.mapi.api.session import Session, connect
from quintet.mapi.api.session import open_profile as open  # noqa: A004 (mapi.open, as one says)
from quintet.mapi.api.store import Store
from quintet.mapi.api.tasks import Note, Progress, Task, TaskAcceptance, TaskRefusal, TaskRequest, TaskUpdate
from quintet.mapi.errors import MapiError

__all__ = [
    "Appointment", "Attachment", "Busy", "Change", "Contact", "Document", "Field", "FlagStatus", "Folder",
    "Group", "Importance", "Item", "Items", "MapiError", "MeetingCancellation", "MeetingRequest",
    "MeetingResponse", "Message", "Note", "Occurrence", "Person", "Post", "Progress",
    "Recurrence", "Report", "Response",
    "Sensitivity", "Session", "Store", "Sync", "Task", "TaskAcceptance", "TaskRefusal", "TaskRequest",
    "TaskUpdate", "Version", "Where",
    "between", "calendars_of", "connect", "find_times", "free_busy", "open",
]  # fmt: skip
