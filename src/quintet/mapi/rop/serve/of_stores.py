"""Logging on, identifiers, receive folders (MS-OXCSTOR 3.2.5.1.1 to 3.2.5.5)."""

from __future__ import annotations

import datetime
import uuid

from quintet.mapi import ids, objects, types
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.ids import LongId, ShortId
from quintet.mapi.nspi import names
from quintet.mapi.objects import Box, numbers, people, searching, sorting
from quintet.mapi.objects.numbers import OWN_REPLICA, counter, short
from quintet.mapi.rop import stores
from quintet.mapi.rop.registry import Asked
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.session import Session
from quintet.mapi.rop.stores import LogonFlag, OpenFlag
from quintet.store import accounts
from quintet.store.db import Tx
from quintet.store.model import AccountId, AccountKind

RESERVED, OWNER_RIGHT, SEND_AS_RIGHT, AWAY = 0x01, 0x02, 0x04, 0x10  # ResponseFlags (MS-OXCSTOR 2.2.1.1.3)
_KNOWN_FLAGS = 0x07
_KNOWN_OPEN_FLAGS = sum(OpenFlag)
_PUBLIC_FLAGS = OpenFlag.PUBLIC | OpenFlag.ALTERNATE_SERVER
_NEVER = uuid.UUID(int=0)


@serves(0xFE, writes=True)
def logon(call: Call) -> stores.LogonAnswer:
    body: stores.Logon = call.body
    session, flags = call.session, body.flags
    if flags & ~_KNOWN_FLAGS or body.open_flags & ~_KNOWN_OPEN_FLAGS:  # R1202, R3109
        raise MapiError(Code.GENERAL_FAILURE)
    private = bool(flags & LogonFlag.PRIVATE)
    if not private and body.open_flags & _PUBLIC_FLAGS != OpenFlag.PUBLIC:  # R3110001, R835
        raise MapiError(Code.LOGON_FAILED)
    if call.asked.index >= len(call.handles):
        raise MapiError(Code.NULL_OBJECT)
    reader = session.identity.account_id
    account = _mailbox(call.tx, body.essdn, reader) if private else _news(call.tx)
    others = [one.box for one in session.logons.values() if one.id != call.asked.logon and not one.box.public]
    mapped = body.open_flags & OpenFlag.USE_PER_MDB_REPLID_MAPPING
    if private and others and others[0].account.id != account and not mapped:  # R803
        raise MapiError(Code.INVALID_PARAMETER)
    box = objects.logon(call.tx, account, reader, files=call.services.store.blobs)
    owner = "" if box.public else names.of_object(box.owner.id, box.owner.name)
    box.store_entry_id = ids.write(ids.StoreEntry(call.services.hostname, owner))
    call.handles[call.asked.index] = session.log_on(call.asked.logon, box)
    with box.using(call.tx):
        folders = tuple([short(number) for number in box.logon_folders()])
        away = private and sorting.is_away(box)
    if not private:
        return stores.LogonAnswer(stores.PublicLogon(flags & ~1, folders, OWN_REPLICA, box.replica, _NEVER))
    state = (OWNER_RIGHT | SEND_AS_RIGHT if box.is_owner else 0) | AWAY * away
    now = datetime.datetime.fromtimestamp(call.tx.now / 1000, datetime.UTC)
    time = stores.LogonTime(
        now.second, now.minute, now.hour, now.isoweekday() % 7, now.day, now.month, now.year
    )
    return stores.LogonAnswer(
        stores.PrivateLogon(
            flags, folders, RESERVED | state, box.replica, OWN_REPLICA, box.replica, time, call.tx.now, 0
        )
    )


def _mailbox(tx: Tx, essdn: str, reader: AccountId) -> AccountId:
    """Whose mailbox a DN names (R787, R788); "" is one's own.  Raises MapiError(UNKNOWN_USER)."""
    if not essdn:
        return reader
    found = people.account_of(tx, essdn, accounts.get(tx, reader))
    if found is None:
        raise MapiError(Code.UNKNOWN_USER)
    return found.id


def _news(tx: Tx) -> AccountId:
    """The account of the newsgroups.  Raises MapiError(LOGON_FAILED): there are none (R59753)."""
    number = tx.value("SELECT id FROM account WHERE kind = ? ORDER BY id LIMIT 1", AccountKind.NEWS)
    if number is None:
        raise MapiError(Code.LOGON_FAILED)
    return AccountId(number)


# --- identifiers ------------------------------------------------------------------------------------------


@serves(0x43, light=True)
def long_term_id_from_id(call: Call) -> stores.LongTermIdFromIdAnswer:
    one: ShortId = call.body.id
    return stores.LongTermIdFromIdAnswer(LongId(call.thing(Box).replica_guid(one.replica), one.counter))


def _is_foreign(session: Session, asked: Asked, handles: list[int]) -> bool:
    """A replica of others may have no number yet."""
    logon = session.logons.get(asked.logon)
    return logon is None or asked.body.id.replica != logon.box.replica


@serves(0x44, writes=_is_foreign)
def id_from_long_term_id(call: Call) -> stores.IdFromLongTermIdAnswer:
    """A replica that was not known yet gets a number (R946)."""
    one: LongId = call.body.id
    return stores.IdFromLongTermIdAnswer(ShortId(call.thing(Box).replica_number(one.replica), one.counter))


# --- where messages arrive --------------------------------------------------------------------------------


@serves(0x27, light=True)
def get_receive_folder(call: Call) -> stores.GetReceiveFolderAnswer:
    klass, folder = call.thing(Box).receive_folder(call.body.message_class)
    return stores.GetReceiveFolderAnswer(short(folder), klass)


@serves(0x26, writes=True)
def set_receive_folder(call: Call) -> None:
    body: stores.SetReceiveFolder = call.body
    folder = counter(body.folder) if body.folder.counter else 0
    call.thing(Box).set_receive_folder(body.message_class, folder)


@serves(0x68, light=True)
def get_receive_folder_table(call: Call) -> stores.GetReceiveFolderTableAnswer:
    found = [
        [numbers.on_wire(one.folder_id), one.klass.encode("ascii"), types.of_ms(one.changed_at)]
        for one in call.thing(Box).receive_folders()
    ]
    return stores.GetReceiveFolderTableAnswer(tuple(found))


# --- the store itself -------------------------------------------------------------------------------------


@serves(0x7B, light=True)
def get_store_state(call: Call) -> stores.GetStoreStateAnswer:
    box = call.thing(Box)
    if box.public:  # R888
        raise MapiError(Code.NOT_SUPPORTED)
    return stores.GetStoreStateAnswer(searching.store_state(box))


@serves(0x60, light=True)
def get_per_user_long_term_ids(call: Call) -> stores.GetPerUserLongTermIdsAnswer:
    """Who has read what of a group is kept with the group itself: there is no such data."""
    if call.thing(Box).public:
        raise MapiError(Code.NOT_SUPPORTED)
    return stores.GetPerUserLongTermIdsAnswer(())


@serves(0x42, light=True)
def get_owning_servers(call: Call) -> stores.GetOwningServersAnswer:
    box = call.thing(Box)
    if not box.public:
        raise MapiError(Code.NOT_SUPPORTED)
    box.folder(counter(call.body.folder))
    return stores.GetOwningServersAnswer((1, (names.of_server(call.services.hostname),)))  # R370, R916


@serves(0x45, light=True)
def public_folder_is_ghosted(call: Call) -> stores.PublicFolderIsGhostedAnswer:
    """All content is here; of a mailbox that is the answer for any folder (R917)."""
    box = call.thing(Box)
    if box.public:
        box.folder(counter(call.body.folder))
    return stores.PublicFolderIsGhostedAnswer(None)
