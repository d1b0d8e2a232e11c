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

MOVE_FOLDERS = """
from MAPI.Util import *

def find(folder, name):
    table = folder.GetHierarchyTable(0)
    table.SetColumns([PR_ENTRYID], 0)
    table.Restrict(SPropertyRestriction(RELOP_EQ, PR_DISPLAY_NAME, SPropValue(PR_DISPLAY_NAME, name)), 0)
    rows = table.QueryRows(-1, 0)
    if rows:
        return folder.OpenEntry(rows[0][0].Value, None, MAPI_MODIFY)
    table = folder.GetHierarchyTable(0)
    table.SetColumns([PR_ENTRYID, PR_SUBFOLDERS], 0)
    for row in table.QueryRows(-1, 0):
        if row[1].Value:
            found = find(folder.OpenEntry(row[0].Value, None, MAPI_MODIFY), name)
            if found:
                return found

store = GetDefaultStore(OpenECSession("ann@example.com", "", None))
top = store.OpenEntry(store.GetProps([PR_IPM_SUBTREE_ENTRYID], 0)[0].Value, IID_IMAPIFolder, MAPI_MODIFY)
old = top.CreateFolder(FOLDER_GENERIC, b"Old", b"of last year", None, 0)
deep = old.CreateFolder(FOLDER_GENERIC, b"Deep", None, None, OPEN_IF_EXISTS)
deep.CreateFolder(FOLDER_GENERIC, b"Deeper", b"", None, 0)
new = top.CreateFolder(FOLDER_GENERIC, b"New", b"", None, 0)
for subject in (b"one", b"two"):
    message = old.CreateMessage(None, 0)
    message.SetProps([SPropValue(PR_SUBJECT, subject), SPropValue(PR_MESSAGE_FLAGS, MSGFLAG_READ)])
    message.SaveChanges(0)
table = old.GetContentsTable(0)
table.SetColumns([PR_ENTRYID], 0)
entries = [row[0].Value for row in table.QueryRows(-1, 0)]
old.CopyMessages(entries, IID_IMAPIFolder, new, 0, None, MESSAGE_MOVE)
old.CopyFolder(HrGetOneProp(deep, PR_ENTRYID).Value, IID_IMAPIFolder, new, b"Deep too", 0, None, FOLDER_MOVE)
out.append(HrGetOneProp(old, PR_COMMENT).Value)
top.DeleteFolder(HrGetOneProp(old, PR_ENTRYID).Value, 0, None, DEL_FOLDERS)
table = new.GetContentsTable(0)
table.SetColumns([PR_SUBJECT, PR_MESSAGE_FLAGS], 0)
out.append(sorted((row[0].Value, row[1].Value & MSGFLAG_READ) for row in table.QueryRows(-1, 0)))
out.append(HrGetOneProp(find(top, b"Deeper"), PR_DISPLAY_NAME).Value)
out.append(find(top, b"Old"))
"""

CONVERT = """
from MAPI.Util import *
import icalmapi
import inetmapi

session = OpenECSession("ann@example.com", "", "default:")
store = GetDefaultStore(session)
ab = session.OpenAddressBook(0, None, MAPI_UNICODE)
inbox = store.OpenEntry(store.GetReceiveFolder(b"IPM", 0)[0], None, MAPI_MODIFY)

def saved(message):
    message.SaveChanges(KEEP_OPEN_READWRITE)
    return store.OpenEntry(HrGetOneProp(message, PR_ENTRYID).Value, None, 0)

dopt = inetmapi.delivery_options()
dopt.mark_as_read = True
message = inbox.CreateMessage(None, 0)
inetmapi.IMToMAPI(session, store, ab, message, letter, dopt)
message = saved(message)
out.append(HrGetOneProp(message, PR_SUBJECT).Value)
out.append(HrGetOneProp(message, PR_MESSAGE_FLAGS).Value & MSGFLAG_READ)
table = message.GetRecipientTable(0)
table.SetColumns([PR_EMAIL_ADDRESS], 0)
out.append([row[0].Value for row in table.QueryRows(-1, 0)])
number = message.GetAttachmentTable(0).GetRowCount(0) - 1
stream = message.OpenAttach(number, None, 0).OpenProperty(PR_ATTACH_DATA_BIN, IID_IStream, 0, 0)
out.append(stream.Read(100))
sopt = inetmapi.sending_options()
sopt.no_recipients_workaround = True
again = inetmapi.IMToINet(session, None, message, sopt)
out.append([line for line in again.split(b"\\r\\n") if line.startswith(b"Subject:")])
envelope, body, bodystructure = inetmapi.createIMAPProperties(again)
out.append((b'"' + out[0] + b'"' in envelope, body[:1] + body[-1:], bodystructure[:1] + bodystructure[-1:]))

icm = icalmapi.CreateICalToMapi(inbox, ab, False)
icm.ParseICal(calendar, "utf-8", "UTC", None, 0)
kind, changed, uid = icm.GetItemInfo(0)
out.append((icm.GetItemCount(), kind == icalmapi.VEVENT, uid))
message = inbox.CreateMessage(None, 0)
icm.GetItem(0, 0, message)
message = saved(message)
mic = icalmapi.CreateMapiToICal(ab, "utf-8")
mic.AddMessage(message, "", 0)
method, data = mic.Finalize(0)
out.append((method, b"SUMMARY:Stand-up" in data))
message.QueryInterface(IID_IMAPIProp)

vcm = icalmapi.create_vcftomapi(inbox)
vcm.parse_vcf(card)
message = inbox.CreateMessage(None, 0)
vcm.get_item(message)
vic = icalmapi.create_mapitovcf()
vic.add_message(saved(message))
out.append(b"FN:Zoe Zander" in vic.finalize())
"""

RULES_AND_RIGHTS = """
from MAPI.Util import *

session = OpenECSession("ann@example.com", "", None)
store = GetDefaultStore(session)
inbox = store.OpenEntry(store.GetReceiveFolder(b"IPM", 0)[0], None, MAPI_MODIFY)
storeid, wasteid = [one.Value for one in store.GetProps([PR_ENTRYID, PR_IPM_WASTEBASKET_ENTRYID], 0)]

rules = inbox.OpenProperty(PR_RULES_TABLE, IID_IExchangeModifyTable, 0, MAPI_MODIFY)
condition = SContentRestriction(FL_SUBSTRING | FL_IGNORECASE, PR_SUBJECT, SPropValue(PR_SUBJECT, b"BUY"))
move = ACTION(ACTTYPE.OP_MOVE, 0, None, None, 0, actMoveCopy(storeid, wasteid))
rules.ModifyTable(0, [ROWENTRY(ROW_ADD, [
    SPropValue(PR_RULE_LEVEL, 0),
    SPropValue(PR_RULE_NAME, b"no advertising"),
    SPropValue(PR_RULE_PROVIDER, b"RuleOrganizer"),
    SPropValue(PR_RULE_STATE, ST_ENABLED),
    SPropValue(PR_RULE_SEQUENCE, 1),
    SPropValue(PR_RULE_CONDITION, condition),
    SPropValue(PR_RULE_ACTIONS, ACTIONS(EDK_RULES_VERSION, [move])),
])])
table = rules.GetTable(0)
table.SetColumns([PR_RULE_NAME, PR_RULE_STATE, PR_RULE_ID], 0)
rows = table.QueryRows(-1, 0)
out.append([(row[0].Value, row[1].Value) for row in rows])

def set_rights(folder, rights, member):
    acls = folder.OpenProperty(PR_ACL_TABLE, IID_IExchangeModifyTable, 0, MAPI_MODIFY)
    entry = ROWENTRY(ROW_ADD, [SPropValue(PR_MEMBER_RIGHTS, rights), SPropValue(PR_MEMBER_ENTRYID, member)])
    acls.ModifyTable(ROWLIST_REPLACE, [entry])
    table = acls.GetTable(0)
    table.SetColumns([PR_MEMBER_NAME, PR_MEMBER_RIGHTS], 0)
    return [(row[0].Value, row[1].Value) for row in table.QueryRows(-1, 0)]

ab = session.OpenAddressBook(0, None, 0)
admin = store.QueryInterface(IID_IECServiceAdmin)
bob = admin.ResolveUserName(b"bob@example.com", 0)
out.append(set_rights(inbox, ecRightsTemplateReadOnly, bob))
out.append([(user.Username, user.FullName) for user in admin.GetUserList(None, MAPI_UNICODE)])
try:
    admin.CreateUser(ECUSER("x", "y", "z", "w"), 0)
except MAPIErrorNoSupport as error:
    out.append(error.descr)
"""

BUSY = """
import libfreebusy
import _MAPICore
import MAPI.Tags
from MAPI.Tags import PR_MAILBOX_OWNER_ENTRYID
from MAPI.Time import FileTime
from MAPI.Util import *

session = kc_session_restore(kc_session_save(OpenECSession("ann@example.com", "", None)))
store = GetDefaultStore(session)
inbox = store.OpenEntry(store.GetReceiveFolder(b"IPM", 0)[0], None, MAPI_MODIFY)
fb = libfreebusy.IFreeBusySupport()
fb.Open(session, store, False)
data, status = fb.LoadFreeBusyData([session.QueryIdentity()], None)
enum = data.EnumBlocks(FileTime(0), FileTime(0xFFFFFFFFFFFFFFFF))
blocks = enum.Next(100)
start = data.GetFBPublishRange()[0]
out.append([(block.end - block.start, block.status, block.start > start) for block in blocks])
out.append(enum.Next(100))
fb.Close()

sink = MAPINotifSink()
store.Advise(None, fnevObjectCreated, sink)
message = inbox.CreateMessage(None, 0)
message.SetProps([SPropValue(PR_SUBJECT, b"hello")])
message.SaveChanges(KEEP_OPEN_READWRITE)
notifs = sink.GetNotifications(False, 1000)
entry = HrGetOneProp(message, PR_ENTRYID).Value
out.append([(one.ulObjType == MAPI_MESSAGE, one.lpEntryID == entry) for one in notifs])
TestRestriction(SPropertyRestriction(RELOP_EQ, PR_SUBJECT, SPropValue(PR_SUBJECT, b"hello")), message)
try:
    TestRestriction(SExistRestriction(PR_DELETED_ON), message)
except MAPIErrorNotFound:
    out.append("no match")
REV_TYPE = {value: name for name, value in _MAPICore.__dict__.items() if name.startswith("PT_")}
REV_TAG = {value: name for name, value in MAPI.Tags.__dict__.items() if name.startswith("PR_")}
prop = message.GetProps([PR_SUBJECT], 0)[0]
out.append((REV_TAG[prop.proptag], REV_TYPE[PROP_TYPE(prop.proptag)], prop.value))
"""

REPLICATE = """
from MAPI.Util import *
from MAPI import ECImportContentsChanges, ECImportHierarchyChanges, IStream

class Contents(ECImportContentsChanges):
    def __init__(self, target):
        ECImportContentsChanges.__init__(self, [IID_IExchangeImportContentsChanges])
        self.target = target
    def ImportMessageChange(self, props, flags):
        return self.target.ImportMessageChange(props, flags)
    def ImportMessageDeletion(self, flags, keys):
        self.target.ImportMessageDeletion(flags, keys)
    def ImportPerUserReadStateChange(self, states):
        self.target.ImportPerUserReadStateChange(states)

class Hierarchy(ECImportHierarchyChanges):
    def __init__(self, target):
        ECImportHierarchyChanges.__init__(self, [IID_IExchangeImportHierarchyChanges])
        self.target = target
    def ImportFolderChange(self, props):
        self.target.ImportFolderChange(props)
    def ImportFolderDeletion(self, flags, keys):
        self.target.ImportFolderDeletion(flags, keys)

def run(folder, tag, importer, state):
    exporter = folder.OpenProperty(tag, IID_IExchangeExportChanges, 0, 0)
    stream = IStream()
    stream.Write(state)
    exporter.Config(stream, SYNC_NORMAL | SYNC_READ_STATE | SYNC_UNICODE, importer, None, None, None, 0)
    step = 0
    while True:
        steps, step = exporter.Synchronize(step)
        if steps == step:
            break
    exporter.UpdateState(stream)
    stream.Seek(0, STREAM_SEEK_SET)
    return stream.Read(0xFFFFFF)

def importer(folder, iid):
    target = folder.OpenProperty(PR_COLLECTOR, iid, 0, 0)
    target.Config(None, 0)
    return target

def subjects(folder):
    table = folder.GetContentsTable(0)
    table.SetColumns([PR_SUBJECT], 0)
    return sorted(row[0].Value for row in table.QueryRows(-1, 0))

def top(store):
    return store.OpenEntry(HrGetOneProp(store, PR_IPM_SUBTREE_ENTRYID).Value, None, MAPI_MODIFY)

mine = GetDefaultStore(OpenECSession("ann@example.com", "", None))
other = GetDefaultStore(OpenECSession("bob@example.com", "", None))
source = top(mine).CreateFolder(FOLDER_GENERIC, b"Plans", b"", None, 0)
copy = top(other).CreateFolder(FOLDER_GENERIC, b"Copy of Plans", b"", None, 0)
source.CreateFolder(FOLDER_GENERIC, b"2026", b"", None, 0)
for subject in (b"one", b"two"):
    message = source.CreateMessage(None, 0)
    message.SetProps([SPropValue(PR_SUBJECT, subject)])
    message.SaveChanges(0)
folders = Hierarchy(importer(copy, IID_IExchangeImportHierarchyChanges))
run(source, PR_HIERARCHY_SYNCHRONIZER, folders, b"")
messages = Contents(importer(copy, IID_IExchangeImportContentsChanges))
state = run(source, PR_CONTENTS_SYNCHRONIZER, messages, b"")
out.append(subjects(copy))
table = source.GetContentsTable(0)
table.SetColumns([PR_ENTRYID], 0)
source.DeleteMessages([table.QueryRows(1, 0)[0][0].Value], 0, None, DELETE_HARD_DELETE)
run(source, PR_CONTENTS_SYNCHRONIZER, Contents(importer(copy, IID_IExchangeImportContentsChanges)), state)
out.append(len(subjects(copy)))
table = copy.GetHierarchyTable(0)
table.SetColumns([PR_DISPLAY_NAME], 0)
out.append([row[0].Value for row in table.QueryRows(-1, 0)])
"""
