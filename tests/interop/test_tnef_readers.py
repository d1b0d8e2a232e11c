"""What we write as TNEF is read by programs that nobody here wrote: tnefparse, tnef, ytnef."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from quintet.mapi import named, rtf, tnef
from quintet.mapi.bag import Attachment, Item
from quintet.mapi.tags import tag

RTF = b"{\\rtf1\\ansi\\pard hello rich world}"


@pytest.fixture
def item() -> Item:
    inner = Item(
        {tag("PR_SUBJECT"): "inner"}, [], [Attachment({tag("PR_ATTACH_FILENAME"): "in.txt"}, b"deep")]
    )
    return Item(
        {
            tag("PR_SUBJECT"): "Zoë's Žlutý kůň",
            tag("PR_MESSAGE_CLASS"): "IPM.Note",
            tag("PR_IMPORTANCE"): 2,
            tag("PR_BODY"): "first line\r\nsecond line\r\n",
            tag("PR_RTF_COMPRESSED"): rtf.compress(RTF),
            tag("PR_CLIENT_SUBMIT_TIME"): 133_000_000_000_000_000,
            tag("PR_SENDER_NAME"): "Bob",
            named.key("PidLidLocation"): "room",
            named.key("PidLidBusyStatus"): 2,
            named.key("PidNameKeywords"): ["red", "green"],
        },
        [
            {
                tag("PR_DISPLAY_NAME"): "Zoe",
                tag("PR_EMAIL_ADDRESS"): "zoe@example.org",
                tag("PR_RECIPIENT_TYPE"): 1,
            }
        ],
        [
            Attachment({tag("PR_ATTACH_FILENAME"): "notes.txt"}, b"some notes\n" * 100),
            Attachment({tag("PR_DISPLAY_NAME"): "a message"}, item=inner),
        ],
    )


def test_tnefparse(item: Item) -> None:
    found = pytest.importorskip("tnefparse").TNEF(tnef.write(item), do_checksum=True)
    assert all(each.good_checksum for each in found.objects)
    dump = found.dump()
    assert dump["attributes"]["Subject"] == "Zoë's Žlutý kůň"
    assert dump["attributes"]["Priority"] == 2
    assert dump["attributes"]["Recipients"][0]["MAPI_EMAIL_ADDRESS"] == "zoe@example.org"
    assert dump["extended_attributes"]["MAPI_OUTLOOK_LOCATION"] == "room"
    assert found.body == "first line\r\nsecond line\r\n"
    assert found.rtfbody == RTF
    assert (found.attachments[0].name, len(found.attachments[0].data)) == ("notes.txt", 1100)
    embedded = found.attachments[1].embed.dump()
    assert embedded["attributes"]["Subject"] == "inner"
    assert embedded["attachments"][0]["filename"] == "in.txt"


LONG = "žluťoučký kůň" * 8
ODD = Item(
    {tag("PR_SUBJECT"): LONG, named.key("PidNameKeywords"): []},
    [],
    [
        Attachment({tag("PR_ATTACH_FILENAME"): "empty.txt"}, b""),
        Attachment({tag("PR_ATTACH_LONG_FILENAME"): LONG + ".txt"}, b"full"),
    ],
)


def test_tnefparse_of_what_others_stumble_over() -> None:
    found = pytest.importorskip("tnefparse").TNEF(tnef.write(ODD), do_checksum=True)
    assert [len(each.data or b"") for each in found.attachments] == [0, 4]
    assert {each.name_str: each.data for each in found.mapiprops}["MAPI_SUBJECT"] == LONG


@pytest.mark.parametrize("program", ["tnef", "ytnef"])
def test_what_readers_stumble_over(program: str, tmp_path: Path) -> None:
    """Long texts among the attributes, attachments of nothing, several values that are none."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here: tests/interop/install.sh")
    packed, folder = tmp_path / "winmail.dat", tmp_path / "out"
    folder.mkdir()
    packed.write_bytes(tnef.write(ODD))
    where = ["-f", str(packed), "-C", str(folder)] if program == "tnef" else ["-f", str(folder), str(packed)]
    found = subprocess.run([program, *where], check=True, timeout=20, capture_output=True)
    assert b"ERROR" not in found.stdout + found.stderr
    assert b"full" in [path.read_bytes() for path in folder.iterdir()]


@pytest.mark.skipif(shutil.which("tnef") is None, reason="no tnef here: tests/interop/install.sh")
def test_tnef_of_debian(item: Item, tmp_path: Path) -> None:
    packed = tmp_path / "winmail.dat"
    packed.write_bytes(tnef.write(item))
    run = ["tnef", "-f", str(packed), "-C", str(tmp_path), "--save-body"]
    subprocess.run(run, check=True, timeout=20)
    assert (tmp_path / "notes.txt").read_bytes() == b"some notes\n" * 100
    assert RTF in b"".join(path.read_bytes() for path in tmp_path.glob("message*.rtf"))


@pytest.mark.skipif(shutil.which("ytnef") is None, reason="no ytnef here: tests/interop/install.sh")
def test_ytnef(item: Item, tmp_path: Path) -> None:
    packed = tmp_path / "winmail.dat"
    packed.write_bytes(tnef.write(item))
    found = subprocess.run(
        ["ytnef", "-v", "-f", str(tmp_path), str(packed)], check=False, timeout=20, capture_output=True
    )
    assert b"ERROR" not in found.stdout + found.stderr
    assert (tmp_path / "notes.txt").read_bytes() == b"some notes\n" * 100
