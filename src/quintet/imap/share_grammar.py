"""The words of ACL (RFC 4314 7), METADATA (RFC 5464 5) and QUOTA (RFC 9208 7).

Pure.
"""

from __future__ import annotations

from quintet.errors import BadSyntax
from quintet.imap import share_commands
from quintet.imap.tokens import Cursor
from quintet.store import access

RIGHTS = frozenset(access.ALL + "cd")  # RFC 4314 2.1, 2.1.1, RFC 5257 3.4


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
