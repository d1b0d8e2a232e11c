"""Stores of the wire, sentence by sentence (MS-OXCSTOR 3.2.5.1 to 3.2.5.9)."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from quintet.mapi import restrict
from quintet.mapi.buffer import Writer
from quintet.mapi.ids import LongId, ShortId
from quintet.mapi.rop import folders, stores
from tests.support.mapiclient import INBOX, SENT, SUBJECT, short
from tests.unit.mapi.rop.asking import code
from tests.unit.mapi.rop.desk import Direct, desk

NOT_FOUND, NOT_SUPPORTED, INVALID, DENIED = 0x8004010F, 0x80040102, 0x80070057, 0x80070005
FAILED = 0x80004005


async def logged(box: Direct, flags: int, open_flags: int, dn: str = "") -> Any:
    batch = box.mailbox.batch(0)
    step = batch.add(stores.Logon(flags, open_flags, 0, dn))
    await box.run(batch)
    return step


# --- logging on ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [0x01, 0x03, 0x05, 0x07])
@pytest.mark.parametrize("open_flags", [0, 0x04, 0x08, 0x0C, 0x400, 0x01000000, 0x20000000, 0x2100040C])
async def test_a_logon_to_a_mailbox(tmp_path: Path, flags: int, open_flags: int) -> None:
    """R13, R59, R2001, R2001002, R79, R84, R96, R112, R1061, R117, R118, R120, R124 to R127, R131, R132,
    R138 to R141, R165, R166, R795, R1200: what is ignored changes nothing but LogonFlags, told as they were.
    """
    async with desk(tmp_path) as it:
        box = await it.box(log_on=False)
        told = (await logged(box, flags, open_flags)).answer.logon
        plain = (await logged(box, 0x01, 0)).answer.logon
        assert told.flags == flags
        assert told.response_flags == 0x07
        assert (told.folders, told.replica, told.replica_guid) == (
            plain.folders,
            plain.replica,
            plain.replica_guid,
        )
        assert len(set(told.folders)) == 13  # R147
        assert told.store_state == 0
        assert told.time.day_of_week in range(7)


@pytest.mark.parametrize(
    ("flags", "open_flags"),
    [(0x09, 0), (0x11, 0), (0x81, 0), (0x01, 0x10), (0x01, 0x800), (0x01, 0x80000000), (0x08, 0x02)],
)
async def test_flags_that_are_none(tmp_path: Path, flags: int, open_flags: int) -> None:
    """R1202, R3109."""
    async with desk(tmp_path) as it:
        box = await it.box(log_on=False)
        assert code(await logged(box, flags, open_flags)) == FAILED


@pytest.mark.parametrize("flags", [0x00, 0x02, 0x04, 0x06])
@pytest.mark.parametrize("open_flags", [0x02, 0x202])
async def test_a_logon_to_public_folders(tmp_path: Path, flags: int, open_flags: int) -> None:
    """R146, R1071, R147 to R149, R151, R153, R1530001, R162, R1218, R841."""
    async with desk(tmp_path) as it:
        box = await it.box(log_on=False)
        told = (await logged(box, flags, open_flags)).answer.logon
        assert (told.flags, told.per_user) == (flags, uuid.UUID(int=0))
        assert told == stores.PublicLogon(
            flags, told.folders, told.replica, told.replica_guid, uuid.UUID(int=0)
        )
        again = (await logged(box, flags, open_flags)).answer.logon
        assert again.replica_guid == told.replica_guid
        assert told.folders[1] != ShortId(0, 0)


# --- where letters arrive -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [".x", "x.", "a..b", ".", "tab\t", "del\x7f", "x" * 255, "IPM." + "y" * 260, "\x01"]
)
async def test_classes_that_are_none(tmp_path: Path, name: str) -> None:
    """R255 to R259, R213 to R217, R234, R235, R273, R274, R858, R59784, R845."""
    async with desk(tmp_path) as it:
        box = await it.box()
        assert code(await box.try_(stores.GetReceiveFolder(name))) == INVALID
        assert code(await box.try_(stores.SetReceiveFolder(box.folders[SENT], name))) == INVALID


@pytest.mark.parametrize("name", ["My", "MY.Class", "x" * 254, "~ !.x", "IPM.My"])
async def test_a_receive_folder_is_set_and_told(tmp_path: Path, name: str) -> None:
    """R195 to R197, R200, R201, R208 to R210, R59801, R211, R212, R232, R233, R241, R243, R850, R851,
    R862, R863, R59754, R1225, R866, R59756, R59757: of a class and those below it, whatever their case.
    """
    async with desk(tmp_path) as it:
        box = await it.box()
        await box.ask(stores.SetReceiveFolder(box.folders[SENT], name))
        for asked in (name, name.upper(), name.lower()):
            found = (await box.ask(stores.GetReceiveFolder(asked))).answer
            assert (found.folder, found.message_class.upper()) == (box.folders[SENT], name.upper())
        other = await it.box("bob")
        assert (await other.ask(stores.GetReceiveFolder(name))).answer.folder == other.folders[INBOX]
        await box.ask(stores.SetReceiveFolder(ShortId(0, 0), name))  # R864: taken back
        assert (await box.ask(stores.GetReceiveFolder(name))).answer.folder == box.folders[INBOX]


async def test_what_is_not_set(tmp_path: Path) -> None:
    """R271, R275, R277, R859, R860, R852, R1223."""
    async with desk(tmp_path) as it:
        box = await it.box()
        for name in ("IPM", "ipm", "REPORT.IPM", "report.ipm"):
            assert code(await box.try_(stores.SetReceiveFolder(box.folders[SENT], name))) == DENIED
        assert code(await box.try_(stores.SetReceiveFolder(ShortId(0, 0), ""))) == FAILED
        found = (await box.ask(stores.GetReceiveFolder("Nothing.Known"))).answer
        assert (found.folder, found.message_class) == (box.folders[INBOX], "")


async def test_the_table_of_receive_folders(tmp_path: Path) -> None:
    """R282, R294 to R297, R299, R301, R303 to R314, R320, R321, R59795, R868, R870, R872, R873, R867,
    R1030, R59786: one row for each class, whose text is 8-bit.
    """
    async with desk(tmp_path) as it:
        box = await it.box()
        await box.ask(stores.SetReceiveFolder(box.folders[SENT], "My.Class"))
        rows = (await box.ask(0x68)).answer.rows
        found = {name.upper(): (short(folder), changed) for folder, name, changed in rows}
        assert found[b"MY.CLASS"][0] == box.folders[SENT]
        assert found[b""][0] == box.folders[INBOX]
        assert len(found) == len(rows)
        assert all(changed for _, changed in found.values())


def test_a_row_of_receive_folders() -> None:
    """R297, R299, R305, R307: Flag, FolderId, an 8-bit text that ends with 0, a time."""
    writer = Writer()
    made = stores.GetReceiveFolderTableAnswer(([0x0100000000000001, b"IPM", 2],))
    stores._put_receive_rows(writer, made.rows)
    assert writer.done() == b"\1\0\0\0\0\1\0\0\0\0\0\0\1IPM\0\2\0\0\0\0\0\0\0"


# --- what only one kind of store answers ----------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        stores.GetReceiveFolder("IPM"),
        stores.SetReceiveFolder(ShortId(1, 1), "My"),
        0x68,
        0x7B,
        stores.GetPerUserLongTermIds(uuid.UUID(int=1)),
    ],
)
async def test_of_mailboxes_only(tmp_path: Path, body: Any) -> None:
    """R198, R238, R239, R249, R279, R287, R324, R874, R332, R341, R887, R856."""
    async with desk(tmp_path) as it:
        box = await it.box(public=True)
        assert code(await box.try_(body)) == NOT_SUPPORTED


async def test_the_state_of_a_store(tmp_path: Path) -> None:
    """R327, R331, R340, R3228, R4001, R334: whether there are searches, and nothing else."""
    async with desk(tmp_path) as it:
        box, other = await it.box(), await it.box("bob")
        step = await box.ask(folders.CreateFolder((2, False, False, "Fruit", "")), await box.folder(10))
        assert step.opens is not None
        wanted = restrict.Content(restrict.Where.SUBSTRING, 1, SUBJECT, (SUBJECT, "apple"))
        await box.ask(folders.SetSearchCriteria(wanted, (box.folders[INBOX],), 0x2), step.opens.handle)
        assert (await box.ask(0x7B)).answer.state == 0x01000000
        assert (await other.ask(0x7B)).answer.state & ~0x01000000 == 0


async def test_servers_of_public_folders(tmp_path: Path) -> None:
    """R351, R367 to R372, R892, R912 to R916, R1232, R394, R395; R396, R405, R1101, R59712, R3928, R1098,
    R1100, R917, R1237, R1236, R436, R930, R1239: this one is the only one, told by its DN.
    """
    async with desk(tmp_path) as it:
        box, public = await it.box(), await it.box(public=True)
        top = public.folders[1]
        cheap, names = (await public.ask(stores.GetOwningServers(top))).answer.servers
        assert (cheap, len(names)) == (1, 1)
        assert names[0].lower().startswith("/o=")
        assert names[0].endswith("/cn=mail.example.org")
        for asked in (stores.GetOwningServers, stores.PublicFolderIsGhosted):
            assert code(await public.try_(asked(ShortId(1, 99_999)))) == NOT_FOUND
        assert (await public.ask(stores.PublicFolderIsGhosted(top))).answer.replicas is None
        assert (await box.ask(stores.PublicFolderIsGhosted(box.folders[INBOX]))).answer.replicas is None
        assert code(await box.try_(stores.GetOwningServers(box.folders[INBOX]))) == NOT_SUPPORTED


# --- ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counter", [1, 0x7FFF, 0xFFFF_FFFF_FFFF])
async def test_ids_and_long_ids(tmp_path: Path, counter: int) -> None:
    """R69742, R442, R59718, R59799, R944, R945, R1242 to R1245, R949, R450: there and back, whether or not
    such an object is there; R452: not of a replica that nobody knows, R950, R1246: which has a number then.
    """
    async with desk(tmp_path) as it:
        box = await it.box()
        short_id = ShortId(box.folders[INBOX].replica, counter)
        long_id = (await box.ask(stores.LongTermIdFromId(short_id))).answer.id
        assert long_id.counter == counter
        assert (await box.ask(stores.IdFromLongTermId(long_id))).answer.id == short_id
        assert code(await box.try_(stores.LongTermIdFromId(ShortId(0x7777, counter)))) == NOT_FOUND
        stranger = LongId(uuid.UUID(int=counter), counter)
        given = (await box.ask(stores.IdFromLongTermId(stranger))).answer.id
        assert given.counter == counter
        assert given.replica not in (0, short_id.replica)  # R3114
        assert (await box.ask(stores.LongTermIdFromId(given))).answer.id == stranger
