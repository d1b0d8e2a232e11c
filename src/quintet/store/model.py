"""The things of the store as values: accounts, folders, entries and what operations report.

Identities are `NewType`s, so that the checker finds a swapped argument.  Rows are frozen; a change
is a transaction, never an assignment.  Times are UTC milliseconds, sizes bytes.
"""

from __future__ import annotations

import hashlib
from typing import Final, NewType

import msgspec

from quintet.values import dataclass

AccountId = NewType("AccountId", int)
FolderId = NewType("FolderId", int)
EntryId = NewType("EntryId", int)  # 48 bits: the number of the place, for ever
MessageId = NewType("MessageId", int)  # the row; the header's text is always called message_id: str
BlobId = NewType("BlobId", int)
Uid = NewType("Uid", int)  # number in a folder; the article number of a group
Modseq = NewType("Modseq", int)

SEEN: Final = 1
ANSWERED: Final = 2
FLAGGED: Final = 4
DELETED: Final = 8
DRAFT: Final = 16
ALL_FLAGS: Final = 31

MAX_UID: Final = 0xFFFFFFFF  # RFC 9051 2.3.1.1: 32 bits
MAX_ARTICLE: Final = 0x7FFFFFFF  # RFC 3977 section 6: 31 bits
IN_ROW: Final = 64 * 1024  # bytes. A body up to this size lies in its row and shares its flush.

NEWS: Final = "news"  # the account that owns the groups


class FolderKind:
    """What a folder holds (`Folder.kind`)."""

    MAIL: Final = "mail"
    GROUP: Final = "group"
    ITEM: Final = "item"  # contacts, appointments...: never listed to those who speak MIME


class AccountKind:
    """Who an account is (`Account.kind`)."""

    PERSON: Final = "person"
    SHARED: Final = "shared"
    NEWS: Final = "news"


@dataclass(frozen=True, slots=True)
class Account:
    """An owner of folders."""

    id: AccountId
    name: str
    kind: str
    display_name: str
    modseq: Modseq
    quota_bytes: int  # 0: none
    quota_messages: int  # 0: none
    used_bytes: int
    used_messages: int
    language: str
    disabled: bool
    created_at: int
    guid: bytes  # replica GUID, 16 bytes
    forward: str = ""  # addresses with spaces between that get a copy of its mail
    keep_copy: bool = True  # it gets its mail itself as well
    mdn: str = "never"  # receipts for what it reads: "never", "ask" (its mail program does), "always"
    used_remarks: int = 0  # bytes of annotations of messages: names and values
    quota_remarks: int = 0  # 0: what the configuration says

    @property
    def full(self) -> bool:
        """No room for another message of any size."""
        return 0 < self.quota_bytes <= self.used_bytes or 0 < self.quota_messages <= self.used_messages


class Folder(msgspec.Struct, frozen=True):  # many are made: a quarter of what a frozen dataclass costs
    """A place for entries; all counts are exact."""

    id: FolderId
    account_id: AccountId
    parent_id: FolderId | None
    name: str  # whole path, "/" between levels; a group's name with its dots
    kind: str
    role: str  # "", "inbox", "drafts", "sent", "junk", "trash", "archive", "important", "flagged", "all"
    uid_validity: int
    uid_next: Uid
    low: Uid  # lowest number that may be present; uid_next when empty
    messages: int
    unseen: int  # by the entries' own flags; for a shared folder see `seen.unseen`
    deleted: int
    bytes: int
    highest_modseq: Modseq
    created_modseq: Modseq
    changed_modseq: Modseq  # of the folder itself: name, role, status
    quota_bytes: int
    quota_messages: int
    status: str  # of a group: "y", "n", "m", "x", "j", "=other" (RFC 6048)
    description: str
    moderator: str
    created_at: int
    created_by: str
    changed_at: int  # the time of `changed_modseq`

    @property
    def object_id(self) -> str:
        """A name that survives renaming (RFC 8474)."""
        return f"F{self.id:x}"

    @property
    def high(self) -> int:
        """Highest number given out so far; low - 1 when there is none."""
        return self.uid_next - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in a folder."""

    id: EntryId
    folder_id: FolderId
    uid: Uid
    message_id: MessageId
    received_at: int
    saved_at: int
    flags: int
    keywords: tuple[str, ...]
    size: int
    modseq: Modseq
    created_modseq: Modseq


class Added(msgspec.Struct, frozen=True):  # a quarter of what a frozen dataclass costs to make
    """Where a message was put."""

    folder_id: FolderId
    uid: Uid
    entry_id: EntryId
    modseq: Modseq


@dataclass(frozen=True, slots=True)
class Copied:
    """One pair of COPYUID (RFC 4315 section 3)."""

    source_uid: Uid
    target_uid: Uid


@dataclass(frozen=True, slots=True)
class Changed:
    """An entry's state after a change."""

    uid: Uid
    flags: int
    keywords: tuple[str, ...]
    modseq: Modseq


@dataclass(frozen=True, slots=True)
class BodyRef:
    """Stored bytes by reference: prefix, then blob; `Store.body` opens it."""

    blob_id: BlobId | None
    prefix: bytes
    size: int  # prefix and blob
    dotless: bool
    sha256: bytes
    in_row: bool
    data: bytes | None = None  # the blob's bytes when they were read along


def pack_keywords(keywords: tuple[str, ...] | list[str]) -> str:
    """Keywords as one text, " a b ", so that one is found by " a "; "" for none."""
    return f" {' '.join(keywords)} " if keywords else ""


def unpack_keywords(text: str) -> tuple[str, ...]:
    return tuple(text.split()) if text else ()


def text_key(text: str) -> int:
    """63 bits of a hash, for indexes over long texts; 0 for the empty text."""
    if not text:
        return 0
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) >> 1
