"""Compound files: storages and streams in one file, as .msg and OLE objects are (MS-CFB).

The reader loads a stream when asked, and all of them together no more than the file holds, so that a hostile
directory costs nothing. The writer gives sectors of 512 bytes, in pieces, each stream in one run.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import field

from quintet.mapi.bag import Data
from quintet.mapi.buffer import bad
from quintet.values import dataclass

MAX_NAME = 31  # UTF-16 units
MAX_DEPTH = 64  # storages within storages
MAX_STREAM = (1 << 31) - 1  # bytes, of files with sectors of 512
PIECE = 64 * 1024  # bytes of a stream that are read at once when it is written

SIGNATURE = bytes.fromhex("d0cf11e0a1b11ae1")
_HEADER = struct.Struct("<8s16s5H6x9I")
_ENTRY = struct.Struct("<64sHBB3I16sIQQIQ")
_SECTOR, _MINI, _CUTOFF = 512, 64, 4096  # bytes; the last: from here on a stream has sectors of its own
_FREE, _END, _OF_FAT, _OF_DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
_NONE = 0xFFFFFFFF  # no neighbour in the directory
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_RED, _BLACK = 0, 1
_UNUSED = _ENTRY.pack(b"", 0, 0, 0, _NONE, _NONE, _NONE, b"", 0, 0, 0, 0, 0)
_IN_HEADER = 109  # FAT sectors whose numbers the header has


_NO_CLASS = uuid.UUID(int=0)


@dataclass(slots=True)
class Storage:
    """A folder of a compound file: storages and streams by name."""

    entries: dict[str, Storage | bytes | Data | Stream] = field(default_factory=dict)
    clsid: uuid.UUID = _NO_CLASS


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of a file that was read."""

    size: int
    _file: _File
    _start: int

    def load(self) -> bytes:
        """All of it.  Raises BadSyntax: its sectors are not there, or were another stream's already."""
        return self._file.load(self._start, self.size)


# --- reading --------------------------------------------------------------------------------------------


def read(raw: bytes) -> Storage:
    """The root of a file.  Raises BadSyntax: no compound file, or a malformed one."""
    file = _File(raw)
    return file.storage(0, set(), 0)


class _File:
    """The tables of a file, and what was loaded of it."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._left = len(raw)  # bytes that streams can still hold
        if len(raw) < _SECTOR or raw[:8] != SIGNATURE:
            raise bad("not a compound file")
        _, _, _, version, order, shift, mini, *rest = _HEADER.unpack_from(raw)
        if (version, shift) not in ((3, 9), (4, 12)) or order != 0xFFFE or mini != 6:
            raise bad("no such version of a compound file")
        self._wide = version == 4  # sizes of 64 bits
        self._size = 1 << shift
        self._most = len(raw) // self._size + 1  # sectors
        _, fats, directory, _, _, mini_fat, _, difat, _ = rest
        self._fat = self._read_fat(fats, difat)
        self._directory = self._whole(directory)
        self._mini_fat = self._whole(mini_fat)
        root = self._entry(0)
        if root.kind != _ROOT:
            raise bad("a compound file without a root")
        self._mini = self._sectors(root.start, root.size) if root.size else b""

    def load(self, start: int, size: int) -> bytes:
        if size > self._left:
            raise bad("a compound file whose streams are larger than itself")
        self._left -= size
        if size >= _CUTOFF:
            return self._sectors(start, size)
        pieces, number = [], start
        for _ in range(-(-size // _MINI)):
            pieces.append(self._mini[number * _MINI : (number + 1) * _MINI])
            number = _next(self._mini_fat, number)
        return _exactly(b"".join(pieces), size)

    def storage(self, number: int, seen: set[int], depth: int) -> Storage:
        """A storage with everything below it; each entry of the directory stands in one place only."""
        if depth > MAX_DEPTH:
            raise bad("storages nested too deeply")
        own = self._entry(number)
        found = Storage(clsid=own.clsid)
        waiting = [own.child]
        while waiting:
            place = waiting.pop()
            if place == _NONE:
                continue
            if place in seen:
                raise bad("a directory that goes in circles")
            seen.add(place)
            entry = self._entry(place)
            waiting += (entry.left, entry.right)
            if entry.kind == _STORAGE:
                found.entries[entry.name] = self.storage(place, seen, depth + 1)
            elif entry.kind == _STREAM:
                found.entries[entry.name] = Stream(entry.size, self, entry.start)
        return found

    def _entry(self, number: int) -> _Entry:
        at = number * _ENTRY.size
        if at + _ENTRY.size > len(self._directory):
            raise bad("a directory that ends too early")
        name, length, kind, _, left, right, child, clsid, _, _, _, start, size = _ENTRY.unpack_from(
            self._directory, at
        )
        text = name[: max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
        size = size if self._wide else size & 0xFFFFFFFF
        return _Entry(text, kind, left, right, child, uuid.UUID(bytes_le=clsid), start, size)

    def _read_fat(self, fats: int, difat: int) -> bytes:
        """The numbers of the FAT's sectors stand in the header, then in a chain of sectors."""
        fats = min(fats, self._most * 4 // self._size + 1)  # more would tell of sectors that are not there
        places = list(struct.unpack_from(f"<{_IN_HEADER}I", self._raw, 76))
        while len(places) < fats and difat not in (_END, _FREE):
            more = struct.unpack(f"<{self._size // 4}I", self._sector(difat))
            places += more[:-1]
            difat = more[-1]
        return b"".join([self._sector(place) for place in places[:fats] if place < _OF_DIFAT])

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._size
        piece = self._raw[start : start + self._size]
        if not piece:
            raise bad("a sector behind the file's end")
        return piece.ljust(self._size, b"\0")  # the last one is often cut

    def _whole(self, number: int) -> bytes:
        """A chain to its end."""
        pieces: list[bytes] = []
        while number not in (_END, _FREE):
            if len(pieces) > self._most:
                raise bad("a chain of sectors that goes in circles")
            pieces.append(self._sector(number))
            number = _next(self._fat, number)
        return b"".join(pieces)

    def _sectors(self, number: int, size: int) -> bytes:
        if size > len(self._raw):
            raise bad("a stream that is larger than its file")
        pieces = []
        for _ in range(-(-size // self._size)):
            pieces.append(self._sector(number))
            number = _next(self._fat, number)
        return _exactly(b"".join(pieces), size)


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    kind: int
    left: int
    right: int
    child: int
    clsid: uuid.UUID
    start: int
    size: int


def _next(table: bytes, number: int) -> int:
    if (number + 1) * 4 > len(table):
        raise bad("a chain of sectors that leads nowhere")
    return int.from_bytes(table[number * 4 : number * 4 + 4], "little")


def _exactly(raw: bytes, size: int) -> bytes:
    if len(raw) < size:
        raise bad("a stream that ends too early")
    return raw[:size]


# --- writing --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Row:
    """An entry of the directory that is to be written."""

    name: str
    node: Storage | bytes | Data
    root: bool = False
    colour: int = _BLACK
    left: int = _NONE
    right: int = _NONE
    child: int = _NONE
    start: int = _END


def write(root: Storage) -> Iterator[bytes]:
    """The file in pieces.

    Raises BadSyntax: a name that is too long, storages nested too deeply, or a stream of 2 GB.
    """
    rows = [_Row("Root Entry", root, root=True)]
    _list(rows, 0, 0)
    streams = [row for row in rows if not isinstance(row.node, Storage)]
    small = [row for row in streams if 0 < size_of(row.node) < _CUTOFF]
    large = [row for row in streams if size_of(row.node) >= _CUTOFF]
    minis = 0
    mini_fat: list[int] = []
    for row in small:
        row.start = minis
        _chain(mini_fat, -(-size_of(row.node) // _MINI))
        minis = len(mini_fat)
    lengths = [
        -(-len(rows) * _ENTRY.size // _SECTOR), -(-minis * 4 // _SECTOR), -(-minis * _MINI // _SECTOR),
        *(-(-size_of(row.node) // _SECTOR) for row in large),
    ]  # fmt: skip
    fats, difats = _tables(sum(lengths))
    fat = [_OF_DIFAT] * difats + [_OF_FAT] * fats
    starts = []
    for length in lengths:
        starts.append(len(fat) if length else _END)
        _chain(fat, length)
    for row, start in zip(large, starts[3:], strict=True):
        row.start = start
    rows[0].start = starts[2]
    yield _header(fats, difats, starts[0], starts[1], lengths[1])
    yield _difat(fats, difats)
    yield _table(fat, fats)
    yield b"".join(_entry(row, minis * _MINI) for row in rows) + _UNUSED * (-len(rows) % (_SECTOR // 128))
    yield _table(mini_fat, lengths[1])
    yield _padded(b"".join(_padded(b"".join(_pieces(row.node)), _MINI) for row in small), _SECTOR)
    for row in large:
        yield from _pieces(row.node)
        yield bytes(-size_of(row.node) % _SECTOR)


def size_of(node: Storage | bytes | Data | Stream) -> int:
    if isinstance(node, bytes):
        return len(node)
    return 0 if isinstance(node, Storage) else node.size


def _list(rows: list[_Row], place: int, depth: int) -> None:
    """Adds what a storage holds, as a balanced tree (MS-CFB 2.6.4)."""
    storage = rows[place].node
    if depth > MAX_DEPTH or not isinstance(storage, Storage):
        raise bad("storages nested too deeply")
    first = len(rows)
    for name in sorted(storage.entries, key=_order):
        node = storage.entries[name]
        if isinstance(node, Stream):
            node = node.load()
        if not 0 < len(_units(name)) <= MAX_NAME * 2 or size_of(node) > MAX_STREAM:
            raise bad("a name or a stream that no compound file can hold")
        rows.append(_Row(name, node))
    last = len(rows)
    # of a tree of one, that one is the root and black
    rows[place].child = _tree(rows, first, last, (last - first).bit_length() if last - first > 1 else 0)
    for each in range(first, last):
        if isinstance(rows[each].node, Storage):
            _list(rows, each, depth + 1)


def _tree(rows: list[_Row], first: int, last: int, height: int) -> int:
    """The middle one, with a tree of those before it and of those behind; the lowest level is red."""
    if first >= last:
        return _NONE
    middle = (first + last) // 2
    row = rows[middle]
    row.colour = _RED if height == 1 else _BLACK
    row.left = _tree(rows, first, middle, height - 1)
    row.right = _tree(rows, middle + 1, last, height - 1)
    return middle


def _units(name: str) -> bytes:
    return name.encode("utf-16-le", "surrogatepass")


def _order(name: str) -> tuple[int, list[int]]:
    """Shorter names come first, then by their capitals, of which each letter has one."""
    capitals = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in name)
    units = _units(capitals)
    return len(units), list(struct.unpack(f"<{len(units) // 2}H", units))


def _chain(table: list[int], length: int) -> None:
    """One run of sectors."""
    if length:
        table.extend(range(len(table) + 1, len(table) + length))
        table.append(_END)


def _tables(sectors: int) -> tuple[int, int]:
    """Sectors of the FAT and of the list of its sectors, which the FAT has to tell too."""
    fats = difats = 0
    while True:
        wanted = -(-(sectors + fats + difats) * 4 // _SECTOR)
        more = -(-max(wanted - _IN_HEADER, 0) // (_SECTOR // 4 - 1))
        if (wanted, more) == (fats, difats):
            return fats, difats
        fats, difats = wanted, more


def _header(fats: int, difats: int, directory: int, mini_fat: int, mini_fats: int) -> bytes:
    head = _HEADER.pack(
        SIGNATURE, bytes(16), 0x3E, 3, 0xFFFE, 9, 6,
        0, fats, directory, 0, _CUTOFF, mini_fat, mini_fats, 0 if difats else _END, difats,
    )  # fmt: skip
    places = [difats + place if place < fats else _FREE for place in range(_IN_HEADER)]
    return head + struct.pack(f"<{_IN_HEADER}I", *places)


def _difat(fats: int, difats: int) -> bytes:
    numbers = []
    step = _SECTOR // 4 - 1
    for place in range(difats):
        first = _IN_HEADER + place * step
        numbers += [difats + each if each < fats else _FREE for each in range(first, first + step)]
        numbers.append(place + 1 if place + 1 < difats else _END)
    return struct.pack(f"<{len(numbers)}I", *numbers)


def _table(numbers: list[int], sectors: int) -> bytes:
    most = sectors * _SECTOR // 4
    return struct.pack(f"<{most}I", *numbers, *([_FREE] * (most - len(numbers))))


def _entry(row: _Row, minis: int) -> bytes:
    """128 bytes; ``minis`` is the size of the root's stream, which holds all the small ones."""
    name = _units(row.name) + b"\0\0"
    clsid, kind, size, start = bytes(16), _STREAM, size_of(row.node), row.start
    if isinstance(row.node, Storage):
        clsid = row.node.clsid.bytes_le
        kind, size, start = (_ROOT, minis, start) if row.root else (_STORAGE, 0, 0)
    return _ENTRY.pack(
        name, len(name), kind, row.colour, row.left, row.right, row.child, clsid, 0, 0, 0, start, size
    )


def _padded(raw: bytes, step: int) -> bytes:
    return raw + bytes(-len(raw) % step)


def _pieces(node: Storage | bytes | Data) -> Iterator[bytes]:
    if isinstance(node, bytes):
        yield node
        return
    assert not isinstance(node, Storage)  # these have no bytes
    at = 0
    while at < node.size:
        piece = node.read(at, PIECE)
        if not piece:
            raise bad("a stream that is shorter than it says")
        at += len(piece)
        yield piece
