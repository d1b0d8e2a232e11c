"""What each bit of PidTagMemberRights allows over the wire, and what it does not (MS-OXCPERM 2.2.7)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from quintet.mapi.ids import ShortId
from quintet.mapi.rop import folders, messages, others, properties, streams
from tests.support.mapiclient import SUBJECT
from tests.unit.mapi.rop.asking import code
from tests.unit.mapi.rop.desk import Direct, desk
from tests.unit.mapi.rop.test_rights import granted, made

READ_ANY, CREATE, EDIT_OWNED, DELETE_OWNED = 0x001, 0x002, 0x008, 0x010
EDIT_ANY, DELETE_ANY, CREATE_SUBFOLDER, OWNER = 0x020, 0x040, 0x080, 0x100
CONTACT, VISIBLE = 0x200, 0x400
NOT_SUPPORTED = 0x80040102


@dataclass
class Shared:
    """Bob in a folder of Alice's, which has a letter of hers and one that he wrote."""

    bob: Direct
    folder: ShortId
    hers: ShortId
    his: ShortId


@contextlib.asynccontextmanager
async def shared(tmp_path: Path, rights: int) -> AsyncIterator[Shared]:
    async with desk(tmp_path) as it:
        alice, bob = await it.box(), await it.box("bob")
        folder, other = await made(alice, "Shared"), await made(alice, "Other")
        await granted(alice, bob, other, VISIBLE)  # without any folder there is no logon
        hers = ShortId(1, await it.letter("Hers", folder="Shared"))
        await granted(alice, bob, folder, VISIBLE | READ_ANY | CREATE)
        away = await it.box("bob", log_on=False)
        await away.log_on(dn="alice@example.org")
        handle = await away.open(messages.CreateMessage(0x0FFF, folder, False))
        await away.put(handle, subject="His")
        his = await away.save(handle)
        await granted(alice, bob, folder, rights)
        there = await it.box("bob", log_on=False)
        await there.log_on(dn="alice@example.org")
        yield Shared(there, folder, hers, his)


async def sees(it: Shared) -> bool:
    return code(await it.bob.try_(folders.OpenFolder(it.folder, 0))) == 0


async def reads(it: Shared) -> bool:
    return code(await it.bob.try_(messages.OpenMessage(0x0FFF, it.folder, 0, it.hers))) == 0


async def creates(it: Shared) -> bool:
    step = await it.bob.try_(messages.CreateMessage(0x0FFF, it.folder, False))
    if code(step):
        return False
    assert step.opens is not None
    await it.bob.put(step.opens.handle, subject="New")
    return code(await it.bob.try_(messages.SaveChangesMessage(0x0A), step.opens.handle)) == 0


async def _edits(it: Shared, message: ShortId) -> bool:
    step = await it.bob.try_(messages.OpenMessage(0x0FFF, it.folder, 1, message))
    if code(step):
        return False
    assert step.opens is not None
    changed = await it.bob.try_(properties.SetProperties(((SUBJECT, "Changed"),)), step.opens.handle)
    if code(changed) or changed.answer.problems:
        return False
    return code(await it.bob.try_(messages.SaveChangesMessage(0x0A), step.opens.handle)) == 0


async def edits(it: Shared) -> bool:
    return await _edits(it, it.hers)


async def edits_own(it: Shared) -> bool:
    return await _edits(it, it.his)


async def _deletes(it: Shared, message: ShortId) -> bool:
    step = await it.bob.try_(folders.OpenFolder(it.folder, 0))
    if code(step):
        return False
    assert step.opens is not None
    gone = await it.bob.try_(folders.DeleteMessages(False, False, (message,)), step.opens.handle)
    return code(gone) == 0 and not gone.answer.partial


async def deletes(it: Shared) -> bool:
    return await _deletes(it, it.hers)


async def deletes_own(it: Shared) -> bool:
    return await _deletes(it, it.his)


async def makes_folders(it: Shared) -> bool:
    step = await it.bob.try_(folders.OpenFolder(it.folder, 0))
    if code(step):
        return False
    assert step.opens is not None
    below = folders.CreateFolder((1, False, False, "Below", ""))
    return code(await it.bob.try_(below, step.opens.handle)) == 0


async def rules(it: Shared) -> bool:
    """Changes the folder itself, its rights too."""
    step = await it.bob.try_(folders.OpenFolder(it.folder, 0))
    if code(step):
        return False
    assert step.opens is not None
    handle = step.opens.handle
    named = await it.bob.try_(properties.SetProperties(((0x3004001F, "About"),)), handle)
    change = others.RowChange(2, ((0x66710014, 0), (0x66730003, VISIBLE)))
    granting = await it.bob.try_(others.ModifyPermissions(0, (change,)), handle)
    assert (code(named) == 0 and not named.answer.problems) is (code(granting) == 0)
    return code(granting) == 0


Deed = Callable[[Shared], Awaitable[bool]]
BITS: Final[tuple[tuple[Deed, int, int, str], ...]] = (  # the bit, and what else it takes
    (sees, VISIBLE, 0, "R102 R103 R1120"),
    (reads, READ_ANY, VISIBLE, "R142 R143 R144"),
    (creates, CREATE, VISIBLE, "R139 R140 R141"),
    (edits, EDIT_ANY, VISIBLE | READ_ANY, "R123 R124 R125"),
    (edits_own, EDIT_OWNED, VISIBLE | READ_ANY, "R130 R131 R132"),
    (deletes, DELETE_ANY, VISIBLE | READ_ANY, "R120 R121 R122"),
    (deletes_own, DELETE_OWNED, VISIBLE | READ_ANY, "R126 R127 R128"),
    (makes_folders, CREATE_SUBFOLDER, VISIBLE, "R117 R118 R119"),
    (rules, OWNER, VISIBLE | READ_ANY, "R114 R115 R116 R180 R181 R182"),
)
ANY: Final = {EDIT_OWNED: EDIT_ANY, DELETE_OWNED: DELETE_ANY}  # what means more
ALL: Final = 0x7FB


@pytest.mark.parametrize(("deed", "bit", "more", "cited"), BITS, ids=[one[0].__name__ for one in BITS])
async def test_a_bit_allows_what_it_says(tmp_path: Path, deed: Deed, bit: int, more: int, cited: str) -> None:
    """The requirements of the table, R173, R175, R1192: with little beside it, and not with all others."""
    async with shared(tmp_path / "with", bit | more) as it:
        assert await deed(it), cited
    without = ALL & ~bit & ~ANY.get(bit, 0) & ~(OWNER if bit != OWNER else 0)
    async with shared(tmp_path / "without", without) as it:
        assert not await deed(it), cited


async def test_a_contact_may_do_nothing_by_that(tmp_path: Path) -> None:
    """R3003: FolderContact means nothing to the server."""
    async with shared(tmp_path, CONTACT | VISIBLE) as it:
        for deed, bit, _, _ in BITS:
            assert await deed(it) is (bit == VISIBLE)


async def test_rights_are_no_stream(tmp_path: Path) -> None:
    """R152, R183: PidTagSecurityDescriptorAsXml is not served; ecNotImplemented is ecNotSupported."""
    async with desk(tmp_path) as it:
        box = await it.box()
        inbox = await box.folder(4)
        for tag in (0x0E6A001F, 0x0E6A001E, 0x0E6A0102):
            assert code(await box.try_(streams.OpenStream(tag, 0), inbox)) == NOT_SUPPORTED
