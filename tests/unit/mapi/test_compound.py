"""Compound files: what olefile reads of ours, what we read of others, and what must be refused (MS-CFB)."""

from __future__ import annotations

import io
import struct
import uuid

import olefile
import pytest

from quintet.errors import BadSyntax
from quintet.mapi.msgfile import compound
from quintet.mapi.msgfile.compound import Storage, Stream

CLASS = uuid.UUID(int=7)


def written(root: Storage) -> bytes:
    return b"".join(compound.write(root))


def plain(storage: Storage) -> dict[str, object]:
    """A storage as nested dictionaries of bytes."""
    return {
        name: plain(node) if isinstance(node, Storage) else node.load() if isinstance(node, Stream) else node
        for name, node in storage.entries.items()
    }


TREES: list[dict[str, object]] = [
    {},
    {"empty": b""},
    {"a": b"small", "b": b"x" * 4095, "c": b"y" * 4096, "d": b"z" * 100_000},
    {"outer": {"inner": {"deep": b"1"}, "else": {}}, "beside": b"2"},
    {f"stream {number}": bytes([number]) * number for number in range(100)},
    {"ß": b"1", "SS": b"2", "ä": b"3", "Ä ": b"4"},
]


def tree(entries: dict[str, object]) -> Storage:
    return Storage(
        {name: tree(node) if isinstance(node, dict) else node for name, node in entries.items()}, CLASS
    )


@pytest.mark.parametrize("entries", TREES)
def test_tree_is_read_back_and_olefile_reads_it(entries: dict[str, object]) -> None:
    raw = written(tree(entries))
    assert len(raw) % 512 == 0
    found = compound.read(raw)
    assert plain(found) == entries
    assert found.clsid == CLASS
    theirs = olefile.OleFileIO(io.BytesIO(raw), raise_defects=olefile.DEFECT_INCORRECT)
    assert theirs.parsing_issues == []
    for path in theirs.listdir():
        node: object = entries
        for name in path:
            assert isinstance(node, dict)
            node = node[name]
        assert theirs.openstream(path).read() == node


def test_directory_is_a_red_black_tree() -> None:
    """MS-CFB 2.6.4: in order by length and capitals, no red below red, as many black ones on every way."""
    for number in (1, 2, 3, 7, 8, 20, 33):
        raw = written(tree({f"{'x' * (each % 5)}{each}": b"" for each in range(number)}))
        (directory,) = struct.unpack_from("<I", raw, 48)
        table = raw[(directory + 1) * 512 :]
        names: list[str] = []

        def walk(place: int, red_above: bool, table: bytes = table, names: list[str] = names) -> int:
            if place == 0xFFFFFFFF:
                return 0
            entry = table[place * 128 : place * 128 + 128]
            length, _, colour, left, right = struct.unpack_from("<HBBII", entry, 64)
            assert not (red_above and colour == 0)
            below = walk(left, colour == 0)
            names.append(entry[: length - 2].decode("utf-16-le"))
            assert walk(right, colour == 0) == below
            return below + colour

        (child,) = struct.unpack_from("<I", table, 76)
        assert table[child * 128 + 67] == 1
        walk(child, False)
        assert names == sorted(names, key=lambda name: (len(name), name.upper()))
        assert len(names) == number


def test_large_file_has_a_table_of_tables() -> None:
    """MS-CFB 2.5: beyond 109 sectors of the FAT, 7 MB, their numbers are in sectors too."""
    data = bytes(range(256)) * 4 * 9_000
    raw = written(Storage({"a": data[:5000], "large": data}))
    assert struct.unpack_from("<I", raw, 72) == (1,)
    assert plain(compound.read(raw)) == {"a": data[:5000], "large": data}
    assert olefile.OleFileIO(io.BytesIO(raw)).openstream("large").read() == data


def test_sectors_of_4096_bytes_are_read() -> None:
    """MS-CFB 2.2: major version 4."""
    head = struct.pack(
        "<8s16s5H6x9I", compound.SIGNATURE, b"", 0x3E, 4, 0xFFFE, 12, 6, 1, 1, 1, 0, 4096, 0xFFFFFFFE, 0,
        0xFFFFFFFE, 0,
    ) + struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)  # fmt: skip

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        raw = (name + "\0").encode("utf-16-le")
        none = 0xFFFFFFFF
        return struct.pack(
            "<64sHBB3I16sIQQIQ", raw, len(raw), kind, 1, none, none, child, b"", 0, 0, 0, start, size
        )

    fat = struct.pack("<4I", 0xFFFFFFFD, 0xFFFFFFFE, 3, 0xFFFFFFFE).ljust(4096, b"\xff")
    directory = entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry("data", 2, 0xFFFFFFFF, 2, 5000)
    raw = head.ljust(4096, b"\0") + fat + directory.ljust(4096, b"\0") + b"x" * 5000
    assert plain(compound.read(raw)) == {"data": b"x" * 5000}


class Pieces:
    """Bytes elsewhere, of which fewer come than there are."""

    def __init__(self, size: int, there: int) -> None:
        self.size, self.there = size, there

    def read(self, start: int, most: int) -> bytes:
        return b"\1" * min(most, self.there - start)


def test_large_stream_is_read_in_pieces() -> None:
    pieces = list(compound.write(Storage({"large": Pieces(300_000, 300_000)})))
    assert max(map(len, pieces)) <= 64 * 1024
    assert plain(compound.read(b"".join(pieces))) == {"large": b"\1" * 300_000}
    with pytest.raises(BadSyntax):
        written(Storage({"short": Pieces(300_000, 5)}))


@pytest.mark.parametrize("node", [Pieces(1 << 31, 0), Storage({"": b""}), Storage({"x" * 32: b""})])
def test_what_no_compound_file_holds_is_refused(node: object) -> None:
    with pytest.raises(BadSyntax):
        written(Storage({"x": node}))


def test_storages_nested_too_deeply_are_refused() -> None:
    root = Storage()
    for _ in range(compound.MAX_DEPTH + 1):
        root = Storage({"x": root})
    with pytest.raises(BadSyntax):
        written(root)


# --- hostile ones -----------------------------------------------------------------------------------------

SMALL = written(Storage({"large": b"x" * 5000, "small": b"y" * 100}))


def broken(at: int, raw: str) -> bytes:
    changed = bytes.fromhex(raw)
    return SMALL[:at] + changed + SMALL[at + len(changed) :]


FAT, DIRECTORY = 512, 1024  # where they are in SMALL


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x" * 600,
        SMALL[:600],
        broken(26, "0500"),  # version
        broken(28, "fffe"),  # byte order
        broken(48, "ff000000"),  # directory behind the end
        broken(60, "ff000000"),  # mini FAT behind the end
        broken(DIRECTORY + 66, "01"),  # no root
        broken(DIRECTORY + 76, "09000000"),  # a child behind the directory
        broken(DIRECTORY + 128 + 68, "02000000" * 2),  # neighbours in circles
        broken(FAT + 4, "01000000"),  # a directory in circles
    ],
)
def test_malformed_files_are_refused(raw: bytes) -> None:
    with pytest.raises(BadSyntax):
        compound.read(raw)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("large", broken(DIRECTORY + 128 + 116, "ff000000")),
        ("large", broken(DIRECTORY + 128 + 120, "00000070")),
        ("small", broken(DIRECTORY + 256 + 116, "ff000000")),
        ("small", SMALL[:2048]),
    ],
)
def test_streams_that_are_not_there_are_refused(name: str, raw: bytes) -> None:
    assert set(compound.read(SMALL).entries) == {"large", "small"}
    with pytest.raises(BadSyntax):
        node = compound.read(raw).entries[name]
        assert isinstance(node, Stream)
        node.load()


def test_one_stream_under_many_names_is_loaded_no_more_than_the_file_is_large() -> None:
    raw = bytearray(written(Storage({f"{number:04}": b"x" * 5000 for number in range(20)})))
    (directory,) = struct.unpack_from("<I", raw, 48)
    at = (directory + 1) * 512
    for number in range(1, 21):
        raw[at + number * 128 + 120 : at + number * 128 + 124] = (90_000).to_bytes(4, "little")
    loaded = 0
    with pytest.raises(BadSyntax):
        for node in compound.read(bytes(raw)).entries.values():
            assert isinstance(node, Stream)
            loaded += len(node.load())
    assert loaded <= len(raw)
