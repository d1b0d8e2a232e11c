"""The identity of a meeting, by which all its copies know each other (MS-OXOCAL 2.2.1.27, 2.2.1.28).

A GlobalObjectId is a fixed head, the day of the exception it speaks of, and data; where the data is the UID
of iCalendar, it stands behind a mark (MS-OXCICAL 2.1.3.1.1.20.26).
"""

from __future__ import annotations

import datetime

from quintet.mapi.buffer import Reader, Writer, bad
from quintet.values import dataclass

MAX_UID = 4096  # bytes of a UID; Exchange takes 255 characters
_HEAD = bytes.fromhex("040000008200E00074C5B7101A82E008")
_MARK = b"vCal-Uid\x01\0\0\0"


@dataclass(frozen=True, slots=True)
class GlobalId:
    """PidLidGlobalObjectId; without ``instance``, PidLidCleanGlobalObjectId."""

    data: bytes
    instance: datetime.date | None = None  # the day that an exception replaces
    created: int = 0  # FILETIME

    @classmethod
    def of_uid(cls, uid: str, instance: datetime.date | None = None) -> GlobalId:
        """The identity of a UID, which is one in hexadecimal where MAPI made it.

        Raises BadSyntax: longer than `MAX_UID`.
        """
        raw = uid.encode("utf-8", "surrogatepass")
        if len(raw) > MAX_UID:
            raise bad("a UID that is too long")
        if raw[: len(_HEAD) * 2].upper() == _HEAD.hex().upper().encode("ascii"):
            try:
                found = cls.read(bytes.fromhex(uid))
            except ValueError:
                pass
            else:
                return cls(found.data, instance or found.instance, found.created)
        return cls(_MARK + raw + b"\0", instance)

    def uid(self) -> str:
        """The UID for iCalendar: the one it was made of, or the clean identity in hexadecimal."""
        if self.data.startswith(_MARK):
            return self.data[len(_MARK) :].rstrip(b"\0").decode("utf-8", "replace")
        return GlobalId(self.data, None, self.created).write().hex().upper()

    def clean(self) -> GlobalId:
        """The identity of the whole series."""
        return GlobalId(self.data, None, self.created)

    @classmethod
    def read(cls, raw: bytes) -> GlobalId:
        """Raises BadSyntax: malformed."""
        reader = Reader(raw)
        if reader.take(16) != _HEAD:
            raise bad("an identity of no meeting")
        year, month, day = int.from_bytes(reader.take(2), "big"), reader.u8(), reader.u8()
        created = reader.u64()
        reader.take(8)
        data = reader.take(reader.u32())
        if not year and not month and not day:
            return cls(data, None, created)
        try:
            return cls(data, datetime.date(year, month, day), created)
        except ValueError:
            raise bad("no such day") from None

    def write(self) -> bytes:
        writer = Writer()
        writer.put(_HEAD)
        day = self.instance
        writer.put(day.year.to_bytes(2, "big") + bytes((day.month, day.day)) if day else bytes(4))
        writer.u64(self.created)
        writer.u64(0)
        writer.u32(len(self.data))
        writer.put(self.data)
        return writer.done()
