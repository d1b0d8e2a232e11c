"""RopRegisterNotification (MS-OXCNOTIF 3.1.5.1)."""

from __future__ import annotations

from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects.numbers import counter
from quintet.mapi.rop.events import Kind
from quintet.mapi.rop.serve.desk import Call, serves
from quintet.mapi.rop.serve.listening import Subscription

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
    one = Subscription(body.kinds)
    if body.scope is not None:
        folder, message = body.scope
        one.folder = box.folder(counter(folder)).id
        one.message = message.counter
    call.session.notices.subscribe(box, call.asked.logon, call.give(one), one)
