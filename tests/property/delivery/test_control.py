"""Control messages under any input: lists make themselves true, rules are read back, hashes ignore noise."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery import emp
from quintet.delivery.control import ctl, groupchanges, nocem, signed
from quintet.delivery.control.groupchanges import Change, Here, Listed, Scope

WORDS = st.sampled_from(["a", "b", "alt", "x1", "control", "é"])
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(".".join)
LISTED = st.lists(st.builds(Listed, NAMES, st.sampled_from(["", "About", "Über"]), st.booleans()), max_size=8)
HERE = st.dictionaries(
    NAMES,
    st.builds(Here, st.sampled_from(["y", "m", "n", "x", "=a"]), st.sampled_from(["", "Old"])),
    max_size=8,
)
PATTERNS = st.text("ab*?.|@", min_size=1, max_size=8).filter(lambda text: text.strip() and ":" not in text)


def applied(here: dict[str, Here], changes: list[Change]) -> dict[str, Here]:
    """The groups after the changes."""
    after = dict(here)
    for one in changes:
        if one.verb == "remove":
            del after[one.group]
            continue
        old = after.get(one.group, Here("y", ""))
        status = "m" if one.moderated else "y"
        after[one.group] = Here(
            status if one.verb in ("make", "status") else old.status,
            old.description if one.verb == "status" else one.description,
        )
    return after


@given(LISTED, HERE, st.lists(NAMES, min_size=1, max_size=2), st.lists(NAMES, max_size=2))
def test_a_list_that_was_heeded_asks_for_nothing_more(listed, here, within, without) -> None:
    listed = list({one.group: one for one in listed}.values())
    of = Scope(tuple(within), tuple(without))
    changes = groupchanges.checkgroups(listed, here, of)
    assert all(one.group in of and groupchanges.is_name(one.group) for one in changes)
    assert groupchanges.checkgroups(listed, applied(here, changes), of) == []


@given(PATTERNS, PATTERNS, st.sampled_from(["doit", "drop", "log", "mail", "verify-k", "doit=mail"]))
def test_a_rule_is_read_back(sender: str, groups: str, action: str) -> None:
    (rule,) = ctl.parse(f"newgroup:{sender}:{groups}:{action}").rules
    again = ctl.parse(f"{rule.message}:{rule.sender}:{rule.newsgroups}:{rule.action}").rules
    assert again == (rule,)


@given(st.text(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_any_file_is_read_or_told(text: str, sender: str, group: str) -> None:
    try:
        rules = ctl.parse(text)
    except ctl.BadRule:
        return
    assert rules.action("newgroup", sender, group).word in ctl.WORDS


@given(st.binary(max_size=300))
def test_no_bytes_are_a_signed_text_by_chance(data: bytes) -> None:
    assert signed.cleartext(data) is None
    assert signed.detached(data, data) is None
    assert nocem.parse(data) is None


@given(st.text("abc def\n", min_size=60, max_size=200), st.sampled_from(["> ", "  ", "1. ", ""]))
def test_quoting_and_blanks_do_not_change_a_hash(text: str, mark: str) -> None:
    quoted = "\n".join(mark + line for line in text.upper().split("\n"))
    assert emp.body_hash(text.encode(), 1) == emp.body_hash(quoted.encode(), 1)
