"""The words of ACL (RFC 4314 7), METADATA (RFC 5464 5) and QUOTA (RFC 9208 7).

Pure.
"""

from __future__ import annotations

import re

from quintet.errors import BadSyntax, Reason
from quintet.imap import share_commands
from quintet.imap.tokens import Cursor
from quintet.store import access

MAX_ENTRY = 255  # octets of the name of an entry
MAX_ENTRIES = 100  # of one command
MAX_RESOURCES = 10  # of one SETQUOTA
_ENTRY = re.compile(rb"(?:/[\x20-\x24\x26-\x29\x2b-\x2e\x30-\x7e]+)+")  # RFC 5464 3.2: no * and no %
RIGHTS = frozenset(access.ALL + "cd")  # RFC 4314 2.1, 2.1.1


def _mailbox(cursor: Cursor) -> bytes:
    cursor.space()
    return cursor.astring()


# --- rights (RFC 4314 3) ---------------------------------------------------------------------------


def set_acl(cursor: Cursor, tag: bytes) -> share_commands.SetAcl:
    mailbox = _mailbox(cursor)
    cursor.space()
    identifier = cursor.astring()
    cursor.space()
    text = cursor.astring()
    mode = text[:1].decode("ascii") if text[:1] in (b"+", b"-") else "="
    letters = (text[1:] if mode != "=" else text).decode("latin-1")
    if not RIGHTS.issuperset(letters):
        raise BadSyntax("unknown right")  # RFC 4314 3.1: upper case too
    return share_commands.SetAcl(tag, mailbox, identifier, mode, letters)


def delete_acl(cursor: Cursor, tag: bytes) -> share_commands.SetAcl:
    mailbox = _mailbox(cursor)
    cursor.space()
    return share_commands.SetAcl(tag, mailbox, cursor.astring(), "=", "")


def get_acl(cursor: Cursor, tag: bytes) -> share_commands.GetAcl:
    return share_commands.GetAcl(tag, _mailbox(cursor))


def list_rights(cursor: Cursor, tag: bytes) -> share_commands.ListRights:
    mailbox = _mailbox(cursor)
    cursor.space()
    return share_commands.ListRights(tag, mailbox, cursor.astring())


def my_rights(cursor: Cursor, tag: bytes) -> share_commands.MyRights:
    return share_commands.MyRights(tag, _mailbox(cursor))


# --- metadata (RFC 5464 5) --------------------------------------------------------------------------


def entry(cursor: Cursor, *, whole: bool = True) -> str:
    """The name of an entry, in lower case (RFC 5464 3.2); without ``whole`` also one above entries.

    Raises:
        BadSyntax: not a possible name.
    """
    raw = cursor.astring()
    name = raw.decode("latin-1").lower()
    levels = name.split("/")
    if len(raw) > MAX_ENTRY or not _ENTRY.fullmatch(raw) or levels[1] not in ("private", "shared"):
        raise BadSyntax("no name of an entry")
    if whole and (len(levels) < 3 or (levels[2] == "vendor" and len(levels) < 5)):
        raise BadSyntax("name of an entry is too short")  # RFC 5464 3.2
    return name


def entries(cursor: Cursor) -> tuple[str, ...]:
    """One name, or some in parentheses, each once; or bare, as an example of RFC 5464 4.4.1 has them."""
    bare = not cursor.accept(b"(")
    found = {entry(cursor, whole=False): None}
    while not (cursor.at_end() if bare else cursor.accept(b")")):
        cursor.space()
        if bare and cursor.at_end():
            break
        if len(found) == MAX_ENTRIES:
            raise BadSyntax("too many entries", Reason.TOO_MANY)
        found[entry(cursor, whole=False)] = None
    return tuple(found)


def get_metadata(cursor: Cursor, tag: bytes) -> share_commands.GetMetadata:
    """Options stand before the mailbox (RFC 5464 5), or behind it, as the examples of 4.2.1 have them."""
    cursor.space()
    options: dict[bytes, int] = {}
    if cursor.peek() == b"(":
        options = _options(cursor)
        cursor.space()
    mailbox = cursor.astring()
    cursor.space()
    at = cursor.position
    if cursor.accept(b"(") and cursor.peek() not in b'/"{':
        cursor.position = at
        options = _options(cursor)
        cursor.space()
    else:
        cursor.position = at
    names = entries(cursor)
    return share_commands.GetMetadata(tag, mailbox, names, options.get(b"MAXSIZE"), options.get(b"DEPTH", 0))


def _options(cursor: Cursor) -> dict[bytes, int]:
    cursor.expect(b"(")
    found: dict[bytes, int] = {}
    while not cursor.accept(b")"):
        if found:
            cursor.space()
        word = cursor.word()
        if word in found:
            raise BadSyntax("doubled option")
        cursor.space()
        if word == b"MAXSIZE":
            found[word] = cursor.number()
        elif word == b"DEPTH":
            depth = {b"0": 0, b"1": 1, b"INFINITY": -1}.get(cursor.word())
            if depth is None:
                raise BadSyntax("expected 0, 1 or infinity")
            found[word] = depth
        else:
            raise BadSyntax("unknown option")
    return found


def set_metadata(cursor: Cursor, tag: bytes) -> share_commands.SetMetadata:
    mailbox = _mailbox(cursor)
    cursor.space()
    cursor.expect(b"(")
    found: dict[str, bytes | None] = {}
    while not found or not cursor.accept(b")"):
        if found:
            cursor.space()
        if len(found) == MAX_ENTRIES:
            raise BadSyntax("too many entries", Reason.TOO_MANY)
        name = entry(cursor)
        cursor.space()
        found[name] = cursor.nstring()
    return share_commands.SetMetadata(tag, mailbox, tuple(found.items()))


# --- quotas (RFC 9208 7) ----------------------------------------------------------------------------


def get_quota(cursor: Cursor, tag: bytes) -> share_commands.GetQuota:
    return share_commands.GetQuota(tag, _mailbox(cursor))


def get_quota_root(cursor: Cursor, tag: bytes) -> share_commands.GetQuotaRoot:
    return share_commands.GetQuotaRoot(tag, _mailbox(cursor))


def set_quota(cursor: Cursor, tag: bytes) -> share_commands.SetQuota:
    root = _mailbox(cursor)
    cursor.space()
    cursor.expect(b"(")
    limits: dict[bytes, int] = {}
    while not cursor.accept(b")"):
        if limits:
            cursor.space()
        word = cursor.word()
        cursor.space()
        if word in limits or len(limits) == MAX_RESOURCES:
            raise BadSyntax("doubled resource, or too many", Reason.TOO_MANY)
        limits[word] = cursor.number64()
    return share_commands.SetQuota(tag, root, tuple(limits.items()))
