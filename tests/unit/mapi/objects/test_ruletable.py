"""The rules of a folder as rows that clients read and change."""

from __future__ import annotations

import pytest

from quintet.mapi import objects, pr
from quintet.mapi.errors import Code, MapiError
from quintet.mapi.objects import pid, ruletable
from quintet.mapi.restrict import Content, Where
from quintet.mapi.rules import Action, Op, State
from quintet.store import rules
from tests.unit.mapi.objects.ruledesk import ON, Desk, desk, rule

__all__ = ["desk"]


async def test_rows_of_the_table(desk: Desk) -> None:
    """R66, R77, R96, R100, R597, R598, R604 to R606."""
    inbox = await desk.folder("INBOX")
    full = rule(Action(Op.DELETE), state=ON | State.ERROR | State.PARSE_ERROR) | {
        pr.RULE_LEVEL: 0, pr.RULE_USER_FLAGS: 7, pr.RULE_PROVIDER_DATA: b"\1\2",
    }  # fmt: skip
    assert await desk.run(lambda: desk.box.folder(inbox).value(pid.HAS_RULES)) is False
    one, two = await desk.rules(full, rule(Action(Op.DELETE), on=None, at=1))
    rows = await desk.run(lambda: ruletable.listing(desk.box.folder(inbox)))
    assert [row[pr.RULE_ID] for row in rows] == [two, one]
    assert rows[1] == full | {pr.RULE_ID: one, pr.RULE_STATE: ON}
    assert await desk.run(lambda: desk.box.folder(inbox).value(pid.HAS_RULES)) is True
    await desk.house.store.write(rules.set_bits, one, State.ERROR)
    rows = await desk.run(lambda: ruletable.listing(desk.box.folder(inbox)))
    assert await desk.rules(*rows) == [two, one]  # what is not changed keeps its state
    assert await desk.states() == [ON, ON | State.ERROR]
    assert await desk.rules(rows[1] | {pr.RULE_NAME: "new"}) == [one]
    assert await desk.states() == [ON]
    await desk.rules()
    assert await desk.run(lambda: desk.box.folder(inbox).value(pid.HAS_RULES)) is False


async def test_rows_that_are_none(desk: Desk) -> None:
    for bad, code in (
        ({pr.RULE_NAME: "x"}, Code.INVALID_PARAMETER),
        (rule(Action(Op.BOUNCE, b"?")), Code.INVALID_PARAMETER),
        (rule(Action(Op.DELETE)) | {pr.RULE_SEQUENCE: 1 << 40}, Code.INVALID_PARAMETER),
        (rule(Action(Op.DELETE)) | {pr.RULE_ID: 99}, Code.NOT_FOUND),
        (rule(Action(Op.DELETE), on=Content(Where.PREFIX, 0, pr.IMPORTANCE, (pr.IMPORTANCE, 1))),
         Code.INVALID_PARAMETER),
        (rule(Action(Op.DEFER, bytes(300_000))), Code.OUT_OF_MEMORY),
    ):  # fmt: skip
        with pytest.raises(MapiError) as caught:
            await desk.rules(bad)
        assert caught.value.code == code
    with pytest.raises(MapiError) as caught:
        await desk.rules(*[rule(Action(Op.DELETE))] * (rules.MAX_RULES + 1))
    assert caught.value.code == Code.OUT_OF_MEMORY


async def test_who_may_only_read_sees_no_rules(desk: Desk) -> None:
    inbox = await desk.folder("INBOX")
    await desk.rules(rule(Action(Op.DELETE)))
    await desk.house.given("INBOX of alice grants bob@example.org lrswi")
    bob = await desk.house.account_id("bob")
    box = await desk.house.store.write(objects.logon, desk.box.account.id, bob, files=desk.house.store.blobs)
    theirs = Desk(desk.house, box)
    for work in (ruletable.listing, lambda folder: ruletable.change(folder, [])):
        with pytest.raises(MapiError) as caught:
            await theirs.run(lambda work=work: work(theirs.box.folder(inbox)))
        assert caught.value.code == Code.ACCESS_DENIED
    assert len(await desk.states()) == 1
