"""RopRegisterNotification (MS-OXCNOTIF 3.1.5.1)."""

from __future__ import annotations

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.rop.events import Kind
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.notices import Subscription
from quintet.mapi.rop.serve.of_stores import counter
from quintet.store.model import FolderId

KNOWN = (
    Kind.NEW_MAIL
    | Kind.CREATED
    | Kind.DELETED
    | Kind.MODIFIED
    | Kind.MOVED
    | Kind.COPIED
    | Kind.SEARCH_COMPLETE
    | Kind.TABLE_MODIFIED
    | 0x0400
)


@serves(0x29)
def register_notification(call: Call) -> None:
    """No fields in its answer; the subscription ends when its handle is released."""
    body, box = call.body, call.box
    call.held(call.asked.index)
    if body.kinds & ~KNOWN:
        raise MapiError(Code.INVALID_PARAMETER)
    one = Subscription(
        call.asked.logon, body.kinds, box.account.id, box.reader.id, inbox=box.special.get("inbox")
    )
    if body.scope is not None:
        folder, message = body.scope
        one.folder = FolderId(box.folder(counter(folder)).id)
        one.message = message.counter
    call.session.notices.subscribe(call.tx, call.give(one), one)
