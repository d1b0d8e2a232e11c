"""The words of access(5) and header_checks(5)."""

import pytest

from quintet.policy import acts
from quintet.policy.acts import Act, Do


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("OK", Act(Do.WELCOME)),
        ("1234567", Act(Do.WELCOME)),  # what "allow this client" once was
        ("DUNNO", Act(Do.NOTHING)),
        ("REJECT", Act(Do.REFUSE, "", 550, "5.7.1")),
        ("reject 5.1.8 go away", Act(Do.REFUSE, "go away", 550, "5.1.8")),
        ("554 5.7.0 no", Act(Do.REFUSE, "no", 554, "5.7.0")),
        ("521", Act(Do.REFUSE, "", 550, "5.7.1")),  # the connection goes on
        ("450 4.2.0 later", Act(Do.DEFER, "later", 450, "4.2.0")),
        ("421 busy", Act(Do.DEFER, "busy", 450, "4.7.1")),
        ("DEFER_IF_PERMIT greylisted", Act(Do.DEFER, "greylisted", 450, "4.7.1")),
        ("DEFER_IF_REJECT x", Act(Do.NOTHING, "x")),
        ("REJECT 4.7.1 a status of another class is dropped", None),
        ("PREPEND X-A: b", Act(Do.PREPEND, "X-A: b")),
        ("REDIRECT <a@b.test>", Act(Do.REDIRECT, "a@b.test")),
        ("BCC a@b.test", Act(Do.COPY, "a@b.test")),
        ("HOLD why", Act(Do.HOLD, "why")),
        ("DISCARD", Act(Do.DISCARD)),
        ("WARN seen", Act(Do.NOTE, "seen")),
    ],
)
def test_actions(said, meant):
    found = acts.parse(said)
    if meant is None:
        assert (found.code, found.enhanced) == (550, "5.7.1")
    else:
        assert found == meant


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "no such action: nothing"),
        ("REJCT no", "no such action: REJCT"),
        ("reject_unknown_client", "no such action"),
        ("FILTER smtp:[127.0.0.1]:10025", "a route with listeners"),
        ("IGNORE", "no such action"),
        ("REDIRECT", "wants an address"),
        ("BCC nobody", "wants an address"),
        ("PREPEND nothing", "wants a field"),
        ("PREPEND X-A:", "wants a field"),
    ],
)
def test_what_is_no_action_is_told(said, why):
    with pytest.raises(ValueError, match=why):
        acts.parse(said)


def test_checks_of_content_have_their_own_words():
    assert acts.parse("IGNORE", of_text=True).do is Do.IGNORE
    assert acts.parse("STRIP why", of_text=True).do is Do.STRIP
    assert acts.parse("REPLACE X: y", of_text=True) == Act(Do.REPLACE, "X: y")
    assert acts.parse("PASS", of_text=True).do is Do.NOTHING
    for said in ("OK", "12", "REPLACE"):
        with pytest.raises(ValueError, match=r"REPLACE wants|no such action"):
            acts.parse(said, of_text=True)


def test_refusals_have_the_words_and_codes_of_the_line():
    refusal = acts.parse("553 5.1.8 not\nyou").refuse()
    assert (refusal.code, refusal.enhanced, refusal.text) == (553, "5.1.8", "not?you")
    delay = acts.parse("452").defer()
    assert (delay.code, delay.enhanced, delay.text) == (452, "4.7.1", "Try again later")
