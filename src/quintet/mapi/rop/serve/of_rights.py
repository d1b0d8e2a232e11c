"""Permissions of folders (MS-OXCPERM 3.2.5.1, 3.2.5.2), and the table of rules (MS-OXORULE 3.2.5.3)."""

from __future__ import annotations

from typing import Final

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import Folder, members
from quintet.mapi.objects.members import Grant
from quintet.mapi.objects.ruletable import RuleRows
from quintet.mapi.rop import others
from quintet.mapi.rop.others import RowChange
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.of_tables import Of, OpenTable
from quintet.mapi.table import Table

REPLACE_ROWS, INCLUDE_FREE_BUSY = 0x01, 0x02  # ModifyFlags (MS-OXCPERM 2.2.2.1)
ADD, MODIFY, REMOVE = 0x01, 0x02, 0x04  # PermissionDataFlags
UNICODE = 0x40  # TableFlags of RopGetRulesTable (MS-OXORULE R127)
FREE_BUSY: Final = 0x0800 | 0x1000  # FreeBusySimple, FreeBusyDetailed of PidTagMemberRights


@serves(0x3E)
def get_permissions_table(call: Call) -> None:
    """No fields in its answer."""
    if call.body.flags & ~INCLUDE_FREE_BUSY:
        raise MapiError(Code.INVALID_PARAMETER)
    call.give(OpenTable(call.thing(Folder).permissions(), Of.PARTS))


@serves(0x40, writes=True)
def modify_permissions(call: Call) -> None:
    body: others.ModifyPermissions = call.body
    if body.flags & ~(REPLACE_ROWS | INCLUDE_FREE_BUSY):  # R43
        raise MapiError(Code.INVALID_PARAMETER)
    replace = bool(body.flags & REPLACE_ROWS)
    grants = [_grant(one, replace, keep=bool(body.flags & INCLUDE_FREE_BUSY)) for one in body.changes]
    call.thing(Folder).modify_permissions(grants, replace=replace)


def _grant(change: RowChange, replace: bool, *, keep: bool) -> Grant:
    """R51, R52, R186, R46.  Raises MapiError(INVALID_PARAMETER)."""
    values = dict(change.values)
    member, entry = values.get(members.MEMBER_ID), values.get(members.ENTRY_ID, b"")
    rights = values.get(members.MEMBER_RIGHTS, 0)
    if not keep:  # R40: who may see free time is changed only where that is said
        rights &= ~FREE_BUSY
    if change.flags == ADD and entry:
        return Grant(rights, entry_id=entry)
    if change.flags == ADD and replace and member is not None:
        return Grant(rights, member)
    if change.flags == MODIFY and member is not None and not replace:
        return Grant(rights, member)
    if change.flags == REMOVE and member is not None and not replace:
        return Grant(None, member)
    raise MapiError(Code.INVALID_PARAMETER)


@serves(0x3F)
def get_rules_table(call: Call) -> None:
    """No fields in its answer; which width text has is the columns' matter, whatever the flag says."""
    if call.body.flags & ~UNICODE:  # R827
        raise MapiError(Code.NOT_SUPPORTED)
    call.give(OpenTable(Table(RuleRows(call.thing(Folder))), Of.RULES))
