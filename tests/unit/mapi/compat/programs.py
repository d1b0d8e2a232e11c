"""Small programs as one writes them for python-mapi: texts that the tests run; ``out`` takes results."""

READ_INBOX = """
from MAPI.Util import *

session = OpenECSession("ann@example.com", "secret", None)
store = GetDefaultStore(session)
eid = store.GetReceiveFolder(b"IPM", 0)[0]
inbox = store.OpenEntry(eid, None, MAPI_BEST_ACCESS)
table = inbox.GetContentsTable(0)
table.SetColumns([PR_ENTRYID, PR_SUBJECT, PR_MESSAGE_FLAGS, PR_MESSAGE_DELIVERY_TIME], TBL_BATCH)
table.SortTable(SSortOrderSet([SSort(PR_SUBJECT, TABLE_SORT_DESCEND)], 0, 0), TBL_BATCH)
while True:
    rows = table.QueryRows(50, 0)
    if len(rows) == 0:
        break
    for row in rows:
        message = inbox.OpenEntry(row[0].Value, None, 0)
        body = message.OpenProperty(PR_BODY, IID_IStream, 0, 0).Read(0xFFFFF)
        assert row[3].Value.unixtime > 1700000000
        out.append((row[1].Value, bool(row[2].Value & MSGFLAG_READ), body))
"""

SEND = """
import MAPI
from MAPI.Util import *
from MAPI.Time import *
import time

session = OpenECSession(u"ann@example.com", u"secret", "default:")
store = GetDefaultStore(session)
props = store.GetProps([PR_IPM_OUTBOX_ENTRYID, PR_IPM_SENTMAIL_ENTRYID], 0)
outbox = store.OpenEntry(props[0].Value, IID_IMAPIFolder, MAPI_MODIFY)
message = outbox.CreateMessage(None, 0)
message.SetProps([
    SPropValue(PR_SUBJECT_W, u"Gr\\xfc\\xdfe"),
    SPropValue(PR_BODY, b"from a program"),
    SPropValue(PR_MESSAGE_CLASS_A, b"IPM.Note"),
    SPropValue(PR_SENTMAIL_ENTRYID, props[1].Value),
    SPropValue(PR_CLIENT_SUBMIT_TIME, unixtime(int(time.time()))),
])
ab = session.OpenAddressBook(0, None, 0)
names = ab.ResolveName(0, MAPI_UNICODE, None, [
    [SPropValue(PR_DISPLAY_NAME_W, u"bob"), SPropValue(PR_RECIPIENT_TYPE, MAPI_TO)],
    [SPropValue(PR_DISPLAY_NAME_W, u"zoe@elsewhere.example"), SPropValue(PR_RECIPIENT_TYPE, MAPI_CC)],
])
message.ModifyRecipients(MODRECIP_ADD, names)
number, attach = message.CreateAttach(None, 0)
attach.SetProps([
    SPropValue(PR_ATTACH_METHOD, ATTACH_BY_VALUE),
    SPropValue(PR_ATTACH_LONG_FILENAME_W, u"data.bin"),
])
stream = attach.OpenProperty(PR_ATTACH_DATA_BIN, IID_IStream, STGM_WRITE, MAPI_CREATE | MAPI_MODIFY)
stream.Write(b"12345")
stream.Commit(0)
attach.SaveChanges(KEEP_OPEN_READWRITE)
message.SaveChanges(KEEP_OPEN_READWRITE)
message.SubmitMessage(0)
sent = store.OpenEntry(props[1].Value, None, 0)
out.append(sent.GetContentsTable(0).GetRowCount(0))
"""

NAMED = """
from MAPI.Util import *

session = OpenECSession("ann@example.com", "secret", None)
store = GetDefaultStore(session)
inbox = store.OpenEntry(store.GetReceiveFolder("IPM", 0)[0], None, MAPI_BEST_ACCESS)
names = [MAPINAMEID(PS_PUBLIC_STRINGS, MNID_STRING, u"Keywords"), MAPINAMEID(PSETID_Common, MNID_ID, 0x8516)]
ids = store.GetIDsFromNames(names, MAPI_CREATE)
keywords = CHANGE_PROP_TYPE(ids[0], PT_MV_STRING8)
start = CHANGE_PROP_TYPE(ids[1], PT_SYSTIME)
message = inbox.CreateMessage(None, 0)
message.SetProps([SPropValue(keywords, [b"red", b"blue"]), SPropValue(start, FileTime_of(0))])
message.SaveChanges(KEEP_OPEN_READWRITE)
again = inbox.OpenEntry(HrGetOneProp(message, PR_ENTRYID).Value, IID_IMessage, 0)
found = again.GetProps([keywords, start, PR_SENSITIVITY, PR_SENDER_NAME], 0)
out.append(found[0].Value)
out.append(repr(found[1].Value))
out.append(PROP_TYPE(found[3].ulPropTag) == PT_ERROR and found[3].Value == MAPI_E_NOT_FOUND)
out.append(PpropFindProp(found, PROP_TAG(PT_UNSPECIFIED, PROP_ID(PR_SENSITIVITY))).Value)
try:
    HrGetOneProp(again, PR_SENDER_NAME)
except MAPIErrorNotFound as error:
    out.append(error.hr == MAPI_E_NOT_FOUND)
try:
    again.SetProps([SPropValue(PR_SUBJECT, b"x")])
except MAPIError as error:
    out.append(hex(error.hr))
""".replace("FileTime_of(0)", "__import__('MAPI.Time', fromlist=['unixtime']).unixtime(0)")

SEARCH = """
from MAPI.Util import *
from MAPI.Util.Generators import GetFolders

session = OpenECSession("ann@example.com", "secret", None)
store = GetDefaultStore(session)
inbox = store.OpenEntry(store.GetReceiveFolder(b"IPM", 0)[0], None, MAPI_BEST_ACCESS)
table = inbox.GetContentsTable(MAPI_DEFERRED_ERRORS)
restriction = SAndRestriction([
    SContentRestriction(FL_SUBSTRING | FL_IGNORECASE, PR_SUBJECT, SPropValue(PR_SUBJECT, b"ONE")),
    SNotRestriction(SBitMaskRestriction(BMR_NEZ, PR_MESSAGE_FLAGS, MSGFLAG_READ)),
    SExistRestriction(PR_MESSAGE_CLASS),
])
table.Restrict(restriction, TBL_BATCH)
table.SetColumns([PR_SUBJECT], TBL_BATCH)
out.append([row[0].Value for row in table.QueryRows(-1 & 0x7FFF, 0)])
ipm = HrGetOneProp(store, PR_IPM_SUBTREE_ENTRYID).Value
titles = []
for folder, depth in GetFolders(store, rootid=ipm):
    titles.append((HrGetOneProp(folder, PR_DISPLAY_NAME_W).Value, depth))
out.append((u"Inbox", 1) in titles)
"""

SYNC = """
from MAPI.Util import *
from MAPI import ECImportContentsChanges, IStream

class Importer(ECImportContentsChanges):
    def __init__(self):
        ECImportContentsChanges.__init__(self, [IID_IExchangeImportContentsChanges])
        self.changed, self.deleted = 0, 0
    def ImportMessageChange(self, props, flags):
        assert PpropFindProp(props, PR_SOURCE_KEY) is not None
        self.changed += 1
        raise MAPIError(SYNC_E_IGNORE)
    def ImportMessageDeletion(self, flags, keys):
        self.deleted += len(keys)
    def ImportPerUserReadStateChange(self, states):
        pass
    def UpdateState(self, stream):
        pass

def sync(folder, state):
    importer = Importer()
    exporter = folder.OpenProperty(PR_CONTENTS_SYNCHRONIZER, IID_IExchangeExportChanges, 0, 0)
    stream = IStream()
    stream.Write(state)
    stream.Seek(0, STREAM_SEEK_SET)
    exporter.Config(stream, SYNC_NORMAL | SYNC_UNICODE, importer, None, None, None, 0)
    step = 0
    while True:
        (steps, step) = exporter.Synchronize(step)
        if steps == step:
            break
    stream = IStream()
    exporter.UpdateState(stream)
    stream.Seek(0, STREAM_SEEK_SET)
    return importer, stream.Read(0xFFFFF)

session = OpenECSession("ann@example.com", "secret", None)
store = GetDefaultStore(session)
inbox = store.OpenEntry(store.GetReceiveFolder(b"IPM", 0)[0], None, MAPI_BEST_ACCESS)
importer, state = sync(inbox, b"\\0" * 8)
out.append(importer.changed)
table = inbox.GetContentsTable(0)
table.SetColumns([PR_ENTRYID], 0)
inbox.DeleteMessages([table.QueryRows(1, 0)[0][0].Value], 0, None, DELETE_HARD_DELETE)
importer, state = sync(inbox, state)
out.append((importer.changed, importer.deleted))
"""

NOTIFY = """
from MAPI.Util import *
from MAPI import MAPIAdviseSink

class Sink(MAPIAdviseSink):
    def OnNotify(self, notifications):
        for one in notifications:
            if isinstance(one, NEWMAIL_NOTIFICATION):
                out.append(one.lpszMessageClass)
        return 0

session = OpenECSession("ann@example.com", "secret", None)
store = GetDefaultStore(session)
sink = Sink([IID_IMAPIAdviseSink])
connection = store.Advise(None, fnevNewMail, sink)
"""

PEOPLE = """
import MAPI
MAPI.unicode = True
from MAPI.Util import *
from MAPI.Util.AddressBook import *
from MAPI.Util.Generators import GetStores

session = OpenECSession("ann@example.com", "secret", None)
out.append(sorted(GetUserList(session, None, MAPI_UNICODE)))
out.append(sorted(GetUserList(session)))
out.append(GetGroupList(session))
out.append([HrGetOneProp(store, PR_DISPLAY_NAME).Value for store in GetStores(session, ["bob@example.com"])])
out.append(PROP_TYPE(PR_SUBJECT) == PT_UNICODE)
"""

OWN_PROFILE = """
from MAPI.Util import *

name = b"__own__"
admin = MAPIAdminProfiles(0)
admin.CreateProfile(name, None, 0, 0)
try:
    services = admin.AdminServices(name, None, 0, 0)
    services.CreateMsgService(b"ZARAFA6", b"Zarafa", 0, 0)
    table = services.GetMsgServiceTable(0)
    uid = PpropFindProp(table.QueryRows(1, 0)[0], PR_SERVICE_UID).Value
    services.ConfigureMsgService(uid, 0, 0, [
        SPropValue(PR_EC_PATH, b"default:"),
        SPropValue(PR_EC_USERNAME_W, u"ann@example.com"),
        SPropValue(PR_EC_USERPASSWORD_A, b"secret"),
        SPropValue(PR_EC_FLAGS, EC_PROFILE_FLAGS_NO_NOTIFICATIONS),
    ])
    session = MAPILogonEx(0, name, None, 0)
finally:
    admin.DeleteProfile(name, 0)
out.append(HrGetOneProp(GetDefaultStore(session), PR_DISPLAY_NAME_W).Value)
out.append(GetPublicStore(session))
"""

RTF = """
from MAPI.Util import *
from MAPI import WrapCompressedRTFStream

session = OpenECSession("ann@example.com", "secret", None)
store = GetDefaultStore(session)
inbox = store.OpenEntry(store.GetReceiveFolder(b"IPM", 0)[0], None, MAPI_BEST_ACCESS)
message = inbox.CreateMessage(None, 0)
stream = message.OpenProperty(PR_RTF_COMPRESSED, IID_IStream, 0, MAPI_CREATE | MAPI_MODIFY)
rtf = WrapCompressedRTFStream(stream, MAPI_MODIFY)
rtf.Write(b"{\\\\rtf1 hello}")
rtf.Commit(0)
message.SaveChanges(KEEP_OPEN_READWRITE)
out.append(WrapCompressedRTFStream(message.OpenProperty(PR_RTF_COMPRESSED, IID_IStream, 0, 0), 0).Read(100))
"""
