"""Search folders (MS-OXCFOLD 3.2.5.4, 3.2.5.5)."""

from __future__ import annotations

from quintet.mapi.objects import Folder
from quintet.mapi.objects.numbers import counter, short
from quintet.mapi.rop import folders
from quintet.mapi.rop.serve import values
from quintet.mapi.rop.serve.desk import Call, serves


@serves(0x30, writes=True)
def set_search_criteria(call: Call) -> None:
    """What matches is there at once, which those hear who wait for it (SearchComplete)."""
    body: folders.SetSearchCriteria = call.body
    folder = call.thing(Folder)
    folder.search(
        values.condition(body.restriction, call.page), [counter(one) for one in body.folders], body.flags
    )
    call.session.notices.searched(call.box, folder.id)


@serves(0x31)
def get_search_criteria(call: Call) -> folders.GetSearchCriteriaAnswer:
    body: folders.GetSearchCriteria = call.body
    found = call.thing(Folder).search_criteria()
    scope = tuple([short(number) for number in found.scope]) if body.with_folders else ()
    restriction = found.restriction if body.with_restriction else None
    if not body.use_unicode:
        restriction = values.narrow_condition(restriction, call.page)
    return folders.GetSearchCriteriaAnswer(restriction, call.asked.logon, scope, found.state)
