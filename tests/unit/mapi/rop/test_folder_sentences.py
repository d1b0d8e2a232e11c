"""Folders as a client of the wire sees them, sentence by sentence (MS-OXCFOLD 3.2.5.1 to 3.2.5.14)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quintet.mapi import restrict
from quintet.mapi.ids import ShortId
from quintet.mapi.rop import folders, messages, properties
from quintet.store import keeping
from tests.support.mapiclient import INBOX, NAME, SENT, SUBJECT, short
from tests.unit.mapi.rop.asking import code, new_message, opened
from tests.unit.mapi.rop.desk import Desk, Direct, desk
from tests.unit.mapi.rop.test_rights import granted

NOT_FOUND, NOT_SUPPORTED, INVALID = 0x8004010F, 0x80040102, 0x80070057
DENIED, DUPLICATE, CYCLE = 0x80070005, 0x80040604, 0x8004060B
NOT_INITIALIZED, NOT_SEARCH, OWN_SCOPE, SEARCH = 0x80040605, 0x461, 0x490, 0x460
MAX = ShortId(1, 99_999)
COUNT, UNREAD, HIDDEN, KIND, FLAGS = 0x36020003, 0x36030003, 0x36170003, 0x36010003, 0x66A80003
FOLDER_ID, PARENT, HAS_SUBFOLDERS, SIZE, SIZE64 = 0x67480014, 0x0E090102, 0x360A000B, 0x0E080003, 0x0E080014
SUBJECT8, ENTRY_ID = 0x0037001E, 0x0FFF0102
OF_APPLES = restrict.Content(restrict.Where.SUBSTRING, 1, SUBJECT, (SUBJECT, "apple"))
ASYNCHRONOUS = pytest.mark.parametrize("later", [False, True])


async def keeping_what_goes(it: Desk) -> Direct:
    """As servers do by default: what is deleted stays for a day."""
    await it.store.write(keeping.set_window, 86_400_000)
    return await it.box()


async def made(box: Direct, name: str, parent: int | None = None, kind: int = 1) -> tuple[ShortId, int]:
    where = await box.folder(INBOX) if parent is None else parent
    step = await box.ask(folders.CreateFolder((kind, False, False, name, "")), where)
    assert step.opens is not None
    return step.answer.folder, step.opens.handle


async def put(box: Direct, folder: ShortId, *subjects: str, hidden: bool = False) -> list[ShortId]:
    """Messages in a folder."""
    found = []
    for subject in subjects:
        handle = await box.open(messages.CreateMessage(0x0FFF, folder, hidden))
        await box.put(handle, subject=subject)
        found.append(await box.save(handle))
        await box.release(handle)
    return found


async def listed(box: Direct, folder: int, flags: int = 0) -> list[Any]:
    table = await box.open(folders.GetContentsTable(flags), folder)
    return sorted(row[0] for row in await box.rows(table, (SUBJECT,)))


async def below(box: Direct, folder: int, flags: int = 0) -> list[Any]:
    table = await box.open(folders.GetHierarchyTable(flags), folder)
    return sorted(row[0] for row in await box.rows(table, (NAME,)))


async def filled(box: Direct, name: str = "Full") -> tuple[ShortId, int]:
    """A folder with two messages, a hidden one, a subfolder with a message and one in that."""
    number, handle = await made(box, name)
    await put(box, number, "One", "Two")
    await put(box, number, "Rule", hidden=True)
    inner, inner_handle = await made(box, "Inner", handle)
    await put(box, inner, "Three")
    await made(box, "Innermost", inner_handle)
    return number, handle


async def partial(box: Direct, body: Any, handle: int, second: int | None = None) -> bool:
    return (await box.ask(body, handle, second)).answer.partial


# --- opening and making -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF])
async def test_a_folder_is_opened_whatever_the_other_bits_are(tmp_path: Path, flags: int) -> None:
    """R9, R90002, R460, R462, R46202, R464, R465, R46501 to R46507, R466, R468, R469; R46201002: what is
    gone is not opened.
    """
    async with desk(tmp_path) as it:
        box = await it.box()
        step = await box.ask(folders.OpenFolder(box.folders[INBOX], flags))
        assert (step.answer.has_rules, step.answer.replicas) == (False, None)
        assert step.opens is not None
        (number,) = await box.values(step.opens.handle, FOLDER_ID)  # R10351
        assert short(number) == box.folders[INBOX]
        assert code(await box.try_(folders.OpenFolder(MAX, flags))) == NOT_FOUND
        inbox = step.opens.handle
        gone, _ = await made(box, "Gone")
        assert await partial(box, folders.DeleteFolder(0x10, gone), inbox) is False
        assert code(await box.try_(folders.OpenFolder(gone, flags))) == NOT_FOUND


async def test_a_folder_is_opened_from_logon_and_folder_only(tmp_path: Path) -> None:
    """R473; R397: its id stands in the hierarchy table."""
    async with desk(tmp_path) as it:
        box = await it.box()
        message = await new_message(box)
        step = await box.try_(folders.OpenFolder(box.folders[INBOX], 0), message)
        assert code(step) == NOT_SUPPORTED
        number, _ = await made(box, "Tea")
        table = await box.open(folders.GetHierarchyTable(0), await box.folder(INBOX))
        ((found,),) = await box.rows(table, (FOLDER_ID,))
        assert short(found) == number
        assert await box.values(await box.folder(short(found)), NAME) == ["Tea"]


@pytest.mark.parametrize("name", ["Tea", b"T\xe9"])
async def test_a_folder_is_made(tmp_path: Path, name: str | bytes) -> None:
    """R37, R3802, R475, R476, R478 to R480, R1039, R1068, R1196, R1197, R491: as text of either width."""
    plain = name if isinstance(name, str) else name.decode("cp1252")
    empty = "" if isinstance(name, str) else b""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        step = await box.ask(folders.CreateFolder((1, False, False, name, empty)), inbox)
        assert step.opens is not None
        assert await box.values(step.opens.handle, NAME, KIND) == [plain, 1]  # R10360, R10362, R811
        asked = folders.CreateFolder((1, False, False, name, empty))
        assert code(await box.try_(asked, inbox)) == DUPLICATE
        there = (await box.ask(folders.CreateFolder((1, True, False, name, empty)), inbox)).answer
        assert (there.folder, there.existing) == (step.answer.folder, None)  # not told of a mailbox's
        sibling, _ = await made(box, "Other")
        await made(box, plain, await box.folder(sibling))  # elsewhere it may stand again


@pytest.mark.parametrize("kind", [0, 3, 4, 0x80, 0xFF])
async def test_folders_of_no_type_are_not_made(tmp_path: Path, kind: int) -> None:
    """R487, and R1235 of those below."""
    async with desk(tmp_path) as it:
        box = await it.box()
        asked = folders.CreateFolder((kind, False, False, "x", ""))
        assert code(await box.try_(asked, await box.folder(INBOX))) == INVALID


# --- deleting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "left"),
    [(0x00, True), (0x01, True), (0x04, True), (0x10, True), (0x05, False), (0x15, False)],
)
async def test_a_folder_is_deleted_with_what_it_holds(tmp_path: Path, flags: int, left: bool) -> None:
    """R75, R76, R94402, R763, R764, R814, R405 to R408, R1076, R2076, R497, R1080, R1081, R817,
    R947, R948.
    """
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        number, handle = await filled(box)
        assert await partial(box, folders.DeleteFolder(flags, number), inbox) is left
        assert await below(box, inbox) == (["Full"] if left else [])
        if left:  # neither it nor anything in it
            assert await listed(box, handle) == ["One", "Two"]
            assert await below(box, handle, 0x04) == ["Inner", "Innermost"]
        else:
            assert code(await box.try_(folders.OpenFolder(number, 0))) == NOT_FOUND


@pytest.mark.parametrize("flags", [0x00, 0x01, 0x04, 0x10, 0x14])
async def test_an_empty_folder_is_deleted_by_any_flags(tmp_path: Path, flags: int) -> None:
    """R76."""
    async with desk(tmp_path) as it:
        box = await it.box()
        number, _ = await made(box, "Empty")
        assert await partial(box, folders.DeleteFolder(flags, number), await box.folder(INBOX)) is False


@pytest.mark.parametrize("flag", [0x02, 0x08, 0x20, 0x40, 0x80, 0xFF])
async def test_bits_that_delete_nothing(tmp_path: Path, flag: int) -> None:
    """R1083, R1234 to R1236."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        number, _ = await made(box, "Empty")
        assert code(await box.try_(folders.DeleteFolder(flag, number), inbox)) == INVALID
        assert await below(box, inbox) == ["Empty"]


async def test_what_is_not_deleted(tmp_path: Path) -> None:
    """R503, R504, R508, R509, R2500: the mailbox's own folders, those that lie elsewhere or nowhere."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox, top = await box.folder(INBOX), await box.folder(3)
        number, _ = await made(box, "Empty")
        assert code(await box.try_(folders.DeleteFolder(5, box.folders[SENT]), top)) == DENIED
        assert code(await box.try_(folders.DeleteFolder(5, number), top)) == NOT_FOUND
        assert code(await box.try_(folders.DeleteFolder(5, MAX), inbox)) == NOT_FOUND
        message = await new_message(box)
        assert code(await box.try_(folders.DeleteFolder(5, number), message)) == NOT_SUPPORTED


@ASYNCHRONOUS
@pytest.mark.parametrize("associated", [False, True])
@pytest.mark.parametrize("ask", [folders.EmptyFolder, folders.HardDeleteMessagesAndSubfolders])
async def test_a_folder_is_emptied(tmp_path: Path, ask: Any, associated: bool, later: bool) -> None:
    """R225, R226, R97502, R238, R239, R616, R1126, R230, R619, R622; R244, R98302, R626, R1135, R1138,
    R113801, R113804, R113805, R1139, R248, R627; R43201, R43202, R433, R434: subfolders in any case.
    """
    async with desk(tmp_path) as it:
        box = await keeping_what_goes(it)
        number, handle = await filled(box)
        assert await partial(box, ask(later, associated), handle) is False
        assert await box.values(handle, COUNT, HIDDEN, HAS_SUBFOLDERS) == [0, int(not associated), False]
        assert await listed(box, handle, 0x02) == ([] if associated else ["Rule"])
        kept = await listed(box, handle, 0x20)
        assert kept == (["One", "Two"] if ask is folders.EmptyFolder else [])  # R1017, R391
        assert await box.values(await box.folder(number), NAME) == ["Full"]


@pytest.mark.parametrize("ask", [folders.EmptyFolder, folders.HardDeleteMessagesAndSubfolders])
async def test_what_is_not_emptied(tmp_path: Path, ask: Any) -> None:
    """R624, R625, R629, R630, R1249; R980, R1131, R113803: a subfolder that has to stay."""
    async with desk(tmp_path) as it:
        box = await it.box()
        message = await new_message(box)
        assert code(await box.try_(ask(False, True), message)) == NOT_SUPPORTED
        assert code(await box.try_(ask(False, True), box.handle)) == NOT_SUPPORTED
        _, search = await made(box, "Fruit", await box.folder(10), 2)
        assert code(await box.try_(ask(False, True), search)) == NOT_SUPPORTED


@ASYNCHRONOUS
@pytest.mark.parametrize("ask", [folders.DeleteMessages, folders.HardDeleteMessages])
async def test_messages_are_deleted(tmp_path: Path, ask: Any, later: bool) -> None:
    """R262, R98802, R263, R631, R632, R1143, R633, R267, R635, R1147; R283, R99402, R639, R1153, R1156,
    R640, R289, R642, R997, R115602; R637, R638, R644, R645.
    """
    async with desk(tmp_path) as it:
        box = await keeping_what_goes(it)
        number, handle = await made(box, "Some")
        one, _ = await put(box, number, "One", "Two")
        assert await partial(box, ask(later, False, (one, MAX)), handle) is True  # the other is not there
        assert await listed(box, handle) == ["Two"]
        assert await partial(box, ask(later, False, (one,)), handle) is True  # nor this one, now
        soft = ask is folders.DeleteMessages
        assert await listed(box, handle, 0x20) == (["One"] if soft else [])
        read = await box.try_(messages.OpenMessage(0x0FFF, number, 0x04, one))
        assert (code(read) == 0) is soft
        message = await new_message(box)
        assert code(await box.try_(ask(later, False, (one,)), message)) == NOT_SUPPORTED


# --- moving and copying -------------------------------------------------------------------------------------


@ASYNCHRONOUS
@pytest.mark.parametrize("copy", [False, True])
async def test_messages_move_and_are_copied(tmp_path: Path, copy: bool, later: bool) -> None:
    """R144, R14501, R420, R421, R427, R430, R583, R1105, R701, R586, R587, R10706, R10163."""
    async with desk(tmp_path) as it:
        box = await it.box()
        (number, handle), (_, target) = await made(box, "From"), await made(box, "To")
        one, two = await put(box, number, "One", "Two")
        assert await partial(box, folders.MoveCopyMessages((one, two), later, copy), handle, target) is False
        assert await listed(box, target) == ["One", "Two"]
        assert await listed(box, handle) == (["One", "Two"] if copy else [])
        asked = folders.MoveCopyMessages((one, MAX), later, copy)
        assert await partial(box, asked, handle, target) is True


async def test_messages_go_from_searches_and_not_into_them(tmp_path: Path) -> None:
    """R1216, R1245, R1246, R589: neither into what is no folder."""
    async with desk(tmp_path) as it:
        number = await it.letter("Apples")
        box = await it.box()
        inbox, sent = await box.folder(INBOX), await box.folder(SENT)
        _, search = await made(box, "Fruit", await box.folder(10), 2)
        await box.ask(folders.SetSearchCriteria(OF_APPLES, (box.folders[INBOX],), 0x2), search)
        own = (ShortId(1, number),)
        step = await box.try_(folders.MoveCopyMessages(own, False, True), inbox, search)
        assert code(step) == SEARCH
        message = await new_message(box)
        step = await box.try_(folders.MoveCopyMessages(own, False, True), inbox, message)
        assert code(step) == NOT_SUPPORTED
        step = await box.try_(folders.MoveCopyMessages(own, False, True), message, sent)
        assert code(step) == NOT_SUPPORTED
        assert await partial(box, folders.MoveCopyMessages(own, False, False), search, sent) is False
        assert (await listed(box, inbox), await listed(box, sent)) == ([], ["Apples"])


@ASYNCHRONOUS
@pytest.mark.parametrize("name", ["New", b"N\xe9w", ""])
async def test_a_folder_moves(tmp_path: Path, name: str | bytes, later: bool) -> None:
    """R169, R170, R17101, R423, R424, R593, R1111, R173, R2190, R2191: with all that is in it."""
    plain = name if isinstance(name, str) else name.decode("cp1252")
    async with desk(tmp_path) as it:
        box = await it.box()
        number, handle = await filled(box)
        _, target = await made(box, "To")
        assert (
            await partial(box, folders.MoveFolder(later, (number, name)), await box.folder(INBOX), target)
            is False
        )
        assert await below(box, target, 0x04) == sorted([plain or "Full", "Inner", "Innermost"])
        assert await below(box, await box.folder(INBOX)) == ["To"]
        assert await listed(box, handle) == ["One", "Two"]


@ASYNCHRONOUS
@pytest.mark.parametrize("deep", [False, True])
async def test_a_folder_is_copied(tmp_path: Path, deep: bool, later: bool) -> None:
    """R196, R19701, R210, R211, R1048, R1118, R605, R607, R200, R609, R2714, R2715."""
    async with desk(tmp_path) as it:
        box = await it.box()
        number, handle = await filled(box)
        _, target = await made(box, "To")
        inbox = await box.folder(INBOX)
        assert await partial(box, folders.CopyFolder(later, deep, (number, "New")), inbox, target) is False
        assert await below(box, target, 0x04) == (["Inner", "Innermost", "New"] if deep else ["New"])
        table = await box.open(folders.GetHierarchyTable(0), target)
        ((copied,),) = await box.rows(table, (FOLDER_ID,))
        new = await box.folder(short(copied))
        assert await listed(box, new) == await listed(box, handle) == ["One", "Two"]
        assert await listed(box, new, 0x02) == ["Rule"]
        assert await below(box, inbox) == ["Full", "To"]


async def test_folders_that_go_nowhere(tmp_path: Path) -> None:
    """R611 to R614: into itself, where one of its name is, one that is not there; no folders."""
    async with desk(tmp_path) as it:
        box = await it.box()
        number, handle = await filled(box)
        inbox = await box.folder(INBOX)
        message = await new_message(box)
        for where, target, expected in (
            ((number, "Again"), handle, CYCLE),
            ((number, "Full"), inbox, DUPLICATE),
            ((MAX, "New"), handle, NOT_FOUND),
            ((box.folders[SENT], "New"), handle, NOT_FOUND),
            ((number, "New"), message, NOT_SUPPORTED),
        ):
            assert code(await box.try_(folders.CopyFolder(False, True, where), inbox, target)) == expected
            assert code(await box.try_(folders.MoveFolder(False, where), inbox, target)) == expected
        for body in (
            folders.CopyFolder(False, True, (number, "New")),
            folders.MoveFolder(False, (number, "New")),
        ):
            assert code(await box.try_(body, message, inbox)) == NOT_SUPPORTED


# --- searches -----------------------------------------------------------------------------------------------


async def test_a_search_is_told_as_it_was_asked(tmp_path: Path) -> None:
    """R98, R120, R121, R409, R418, R496, R515, R518, R526, R576, R1100, R1103, R1104, R958, R959, R2140,
    R2141, R812; R1172: its rows tell where a letter lies.
    """
    async with desk(tmp_path) as it:
        await it.letter("Apples")
        box = await it.box()
        _, search = await made(box, "Fruit", await box.folder(10), 2)
        assert await box.values(search, KIND) == [2]
        inbox = box.folders[INBOX]
        await box.ask(folders.SetSearchCriteria(OF_APPLES, (inbox,), 0x2), search)
        for question in (False, True):
            for scope in (False, True):
                asked = folders.GetSearchCriteria(True, question, scope)
                told = (await box.ask(asked, search)).answer
                assert told.restriction == (OF_APPLES if question else None)
                assert told.folders == ((inbox,) if scope else ())
        table = await box.open(folders.GetContentsTable(0), search)
        (entry,) = await box.values(await box.folder(INBOX), ENTRY_ID)
        assert await box.rows(table, (SUBJECT, PARENT)) == [["Apples", entry]]


async def test_searches_that_are_refused(tmp_path: Path) -> None:
    """R1090 to R1092, R565, R569, R573, R577, R579, R581, R1233, R1242 to R1244."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(INBOX)
        number, search = await made(box, "Fruit", await box.folder(10), 2)
        scope = (box.folders[INBOX],)
        for body, handle, expected in (
            (folders.SetSearchCriteria(OF_APPLES, scope, 0x2), inbox, NOT_SEARCH),
            (folders.GetSearchCriteria(True, True, True), inbox, NOT_SEARCH),
            (folders.SetSearchCriteria(None, (), 0x2), search, NOT_INITIALIZED),
            (folders.SetSearchCriteria(OF_APPLES, (number,), 0x2), search, OWN_SCOPE),
            (folders.SetSearchCriteria(OF_APPLES, scope, 0x80000000), search, INVALID),
            (folders.SetSearchCriteria(OF_APPLES, scope, 0x3), search, INVALID),  # both of a pair
            (folders.SetSearchCriteria(OF_APPLES, scope, 0xC), search, INVALID),
            (folders.SetSearchCriteria(OF_APPLES, scope, 0x2), box.handle, NOT_SUPPORTED),
            (folders.GetSearchCriteria(True, True, True), box.handle, NOT_SUPPORTED),
        ):
            assert code(await box.try_(body, handle)) == expected, (body, hex(expected))


# --- tables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [0, 0x08, 0x10, 0x40, 0x80, 0xD8])
async def test_hierarchies(tmp_path: Path, flags: int) -> None:
    """R305, R100002, R306, R646, R1160, R1163, R648, R655, R1166, R3007, R3008, R382, R383."""
    async with desk(tmp_path) as it:
        box = await it.box()
        number, _ = await filled(box)
        inbox = await box.folder(INBOX)
        assert (await box.ask(folders.GetHierarchyTable(flags), inbox)).answer.rows == 1
        assert await below(box, inbox, flags) == ["Full"]
        assert await below(box, inbox, flags | 0x04) == ["Full", "Inner", "Innermost"]
        await box.ask(folders.DeleteFolder(0x05, number), inbox)
        assert await below(box, inbox, flags) == []


@pytest.mark.parametrize("flags", [0x01, 0x02, 0x03])
async def test_hierarchies_of_no_such_flags(tmp_path: Path, flags: int) -> None:
    """R314, R657, R658; nor of what is no folder."""
    async with desk(tmp_path) as it:
        box = await it.box()
        step = await box.try_(folders.GetHierarchyTable(flags), await box.folder(INBOX))
        assert code(step) == NOT_SUPPORTED
        message = await new_message(box)
        assert code(await box.try_(folders.GetHierarchyTable(0), message)) == NOT_SUPPORTED


@pytest.mark.parametrize("flags", [0, 0x08, 0x10, 0x40, 0x58])
async def test_contents(tmp_path: Path, flags: int) -> None:
    """R320, R100502, R321, R659, R1167, R1170, R661 to R663, R665, R1010, R1011, R1017, R1020, R1176,
    R3009, R3010, R388, R389, R391: right in the folder, hidden ones or not, what is there or was.
    """
    async with desk(tmp_path) as it:
        box = await keeping_what_goes(it)
        number, handle = await filled(box)
        (one,) = await put(box, number, "Gone")
        await box.ask(folders.DeleteMessages(False, False, (one,)), handle)
        assert (await box.ask(folders.GetContentsTable(flags), handle)).answer.rows == 2
        assert await listed(box, handle, flags) == ["One", "Two"]
        assert await listed(box, handle, flags | 0x02) == ["Rule"]
        assert await listed(box, handle, flags | 0x20) == ["Gone"]


@pytest.mark.parametrize("flags", [0x01, 0x04, 0x05, 0x80, 0xFF])
async def test_contents_of_no_such_flags(tmp_path: Path, flags: int) -> None:
    """R330, R330002, R669, R671, R672, R1178, R1179; one conversation's members are not listed."""
    async with desk(tmp_path) as it:
        box = await it.box()
        step = await box.try_(folders.GetContentsTable(flags), await box.folder(INBOX))
        assert code(step) == (INVALID if flags & 0x05 else NOT_SUPPORTED)
        for handle in (box.handle, await new_message(box)):
            assert code(await box.try_(folders.GetContentsTable(0), handle)) == NOT_SUPPORTED


async def test_text_of_tables_is_as_wide_as_its_columns(tmp_path: Path) -> None:
    """R1020, R1021."""
    async with desk(tmp_path) as it:
        await it.letter("Tea")
        box = await it.box()
        table = await box.open(folders.GetContentsTable(0), await box.folder(INBOX))
        assert await box.rows(table, (SUBJECT, SUBJECT8)) == [["Tea", b"Tea"]]


async def test_what_a_folder_counts(tmp_path: Path) -> None:
    """R10345, R346, R10347, R10353, R10354, R10027, R1226, R1225: and that nobody sets."""
    async with desk(tmp_path) as it:
        number = await it.letter("Unread")
        box = await it.box()
        inbox = await box.folder(INBOX)
        await put(box, box.folders[INBOX], "Rule", hidden=True)
        count, unread, size, size64, parent = await box.values(inbox, COUNT, UNREAD, SIZE, SIZE64, PARENT)
        (above,) = await box.values(await box.folder(3), ENTRY_ID)
        assert (count, unread, parent) == (1, 1, above)
        assert size == size64 > 100
        message = await opened(box, number)
        await box.ask(messages.SetMessageReadFlag(1, b""), message)
        assert await box.values(inbox, COUNT, UNREAD) == [1, 0]
        step = await box.ask(properties.SetProperties(((COUNT, 7), (UNREAD, 7), (SIZE, 7))), inbox)
        assert len(step.answer.problems) == 3
        assert await box.values(inbox, COUNT, UNREAD) == [1, 0]


async def test_a_copy_leaves_out_what_may_not_be_read(tmp_path: Path) -> None:
    """R1121, R2714, R2715: of a tree of which a part is closed to the reader the rest is copied."""
    async with desk(tmp_path) as it:
        box, bob = await it.box(), await it.box("bob")
        top, handle = await made(box, "Top", await box.folder(3))
        number, inside = await made(box, "Tree", handle)
        for name in ("Closed", "Open"):
            part, _ = await made(box, name, inside)
            await put(box, part, name)
            await granted(box, bob, part, 0x400 if name == "Closed" else 0x401)
        for place in (top, number):
            await granted(box, bob, place, 0x483)
        guest = await it.box("bob", log_on=False)
        await guest.log_on(dn="alice@example.org")
        where = await guest.folder(top)
        assert await partial(guest, folders.CopyFolder(False, True, (number, "Copy")), where, where) is True
        assert await below(box, handle) == ["Copy", "Tree"]
        assert await below(box, handle, 0x04) == ["Closed", "Copy", "Open", "Open", "Tree"]
