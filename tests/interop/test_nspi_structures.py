"""STAT, entry ids and values as impacket's NSPI has them: both read what the other wrote.

impacket speaks NSPI over RPC, so rows and bodies differ from ours over HTTP; these structures do not.
"""

from __future__ import annotations

import uuid

import pytest

from quintet.mapi import restrict
from quintet.mapi.buffer import Reader, Writer
from quintet.mapi.nspi import bodies, consts, names
from quintet.mapi.nspi import messages as m

nspi = pytest.importorskip("impacket.dcerpc.v5.nspi", reason="impacket is not installed")
pytestmark = pytest.mark.interop

STATES = (m.Stat(), m.Stat(3, 0x11, 2, -5, 7, 9, 1252, 0x407, 0x411), m.Stat(1001, 0xFFFFFFFF, 1, 1 << 30))
FIELDS = (
    "SortType", "ContainerID", "CurrentRec", "Delta", "NumPos", "TotalRecs", "CodePage", "TemplateLocale",
    "SortLocale",
)  # fmt: skip


def values(state: m.Stat) -> tuple[int, ...]:
    return (state.sort, state.container, state.current, state.delta, state.position, state.total,
            state.code_page, state.template_locale, state.sort_locale)  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_states(state):
    """MS-OXNSPI 2.2.8."""
    theirs = nspi.STAT()
    for field, value in zip(FIELDS, values(state), strict=True):
        theirs[field] = value
    writer = Writer()
    bodies.STAT[1](writer, state)
    assert theirs.getData() == writer.done()
    read = nspi.STAT()
    read.fromString(writer.done())
    assert tuple(read[field] for field in FIELDS) == values(state)
    assert bodies.STAT[0](Reader(theirs.getData())) == state


def test_ephemeral_ids():
    """MS-OXNSPI 2.2.9.2."""
    server = uuid.uuid4()
    raw = names.ephemeral(server, consts.DT_DISTLIST, 0x12345)
    read = nspi.EphemeralEntryID(raw)
    assert (read["DisplayType"], read["MId"], bytes(read["ProviderUID"])) == (1, 0x12345, server.bytes_le)
    assert names.read(read.getData()) == names.Ephemeral(server, 0x12345)


def test_permanent_ids():
    """MS-OXNSPI 2.2.9.3."""
    dn = names.of_object(100, "alice@example.org")
    read = nspi.PermanentEntryID(names.permanent(consts.DT_FORUM, dn))
    assert read["DisplayType"] == consts.DT_FORUM
    assert read["DistinguishedName"].rstrip("\0") == dn
    assert bytes(read["ProviderUID"]) == bytes(nspi.GUID_NSPI)


def test_constants():
    assert (nspi.MID_CURRENT, nspi.MID_END_OF_TABLE) == (consts.CURRENT, consts.END)
    assert (nspi.MID_UNRESOLVED, nspi.MID_AMBIGUOUS, nspi.MID_RESOLVED) == (0, 1, 2)
    assert (nspi.CP_TELETEX, nspi.CP_WINUNICODE) == (consts.CP_TELETEX, consts.CP_UNICODE)
    assert (nspi.fSkipObjects, nspi.fEphID) == (consts.SKIP_OBJECTS, consts.EPHEMERAL_IDS)
    assert nspi.NspiUnicodeProptypes == consts.UNICODE_TYPES
    assert (nspi.TI_TEMPLATE, nspi.TI_SCRIPT) == (consts.TEMPLATE, consts.SCRIPT)
    for name in ("DT_MAILUSER", "DT_DISTLIST", "DT_FORUM", "DT_REMOTE_MAILUSER", "DT_CONTAINER"):
        assert getattr(nspi, name) == getattr(consts, name)


def test_restrictions_have_the_same_kinds():
    """MS-OXNSPI 2.2.5.6: what union member a kind is."""
    writer = Writer(wide=True, book=True)
    restrict.put(writer, restrict.Exist(0x3001001F))
    assert writer.done()[0] in nspi.RestrictionUnion_r.union
    assert nspi.RestrictionUnion_r.union[8][1] is nspi.ExistRestriction_r
