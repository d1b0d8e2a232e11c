"""INN's acceptance checks of what peers send, row by row and in their order: words, and what is remembered.

One row a test: a good article that is spoilt in one way.  The numbers are those of the steps that innd takes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quintet.delivery import arrive
from quintet.delivery.arrive import Arriving, Limits, No
from quintet.message.headers import format_date
from quintet.policy.newsfilter import patterns
from tests.support.effort import linear

NOW = 1_763_715_600_000
DAY_MS = 86_400_000
GOOD = (
    f"Path: peer.test!user\r\nFrom: a@example.org\r\nNewsgroups: local.test\r\nSubject: s\r\n"
    f"Date: {format_date(NOW)}\r\nMessage-ID: <a@x>\r\n\r\nHello\r\n"
).encode()
STATUS = {
    "local.test": "y",
    "local.mod": "m",
    "local.x": "x",
    "local.j": "j",
    "local.n": "n",
    "local.old": "=local.test",
    "local.secret": "y",
    "local.apart": "y",
}
ACCEPT = "*,!local.apart,@local.secret"

Spoil = Callable[[bytes], bytes]


def verdict(data: bytes, limits: Limits | None = None, **more: bool) -> No | list[str]:
    """What becomes of an article: the groups, or why in none; the steps as `Arrivals` takes them."""
    limits = limits or Limits(10_000, 10 * DAY_MS, frozenset({"bad.test"}), ("world", "!local"))
    article = arrive.read(data)
    if isinstance(article, No):
        return article
    found = arrive.too_big(article.size, limits, article.message_id) or arrive.judge(article, NOW, limits)
    return found or arrive.choose(article, STATUS, patterns(ACCEPT), **{"verify": False, **more})


def without(name: str) -> Spoil:
    def cut(data: bytes) -> bytes:
        head, blank, body = data.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(name.encode() + b":")]
        return b"\r\n".join(lines) + blank + body

    return cut


def field(name: str, value: str) -> Spoil:
    """With that value in a field, which it may not have had."""

    def change(data: bytes) -> bytes:
        return f"{name}: {value}\r\n".encode() + without(name)(data)

    return change


def also(line: bytes) -> Spoil:
    return lambda data: line + b"\r\n" + data


def at(days: float) -> str:
    return format_date(NOW + round(days * DAY_MS))


R, NOT_R = True, False  # its Message-ID is remembered, so that nobody offers it again

ROWS: list[tuple[str, Spoil, str, bool]] = [
    ("1 NUL in the header", lambda d: d.replace(b"Subject: s", b"Subject: \0"), "Nul character in header", R),
    ("1 NUL in the body", lambda d: d + b"\0\r\n", "Nul character in body", R),
    ("1 empty", lambda d: b"", "Empty article", NOT_R),
    ("1 nothing but line ends", lambda d: b"\r\n\r\n", "Empty headers and body", NOT_R),
    ("1 no header", lambda d: b"\r\nHello\r\n", "No headers", NOT_R),
    ("1 no separator", lambda d: d[: d.index(b"\r\n\r\n") + 2], "No body", NOT_R),
    (
        "1 cut off in a field",
        lambda d: d[: d.index(b"\r\n\r\n")] + b"\r\nX-Cut",
        'No colon-space in "X-Cut" header field',
        NOT_R,
    ),
    (
        "1 a blank in its separator",
        lambda d: d.replace(b"\r\n\r\n", b"\r\n \r\n"),
        'No colon-space in "Hello" header field',
        NOT_R,
    ),
    (
        "1 two ids and no colon",
        also(b"Message-ID: <b@x>\r\nnonsense"),
        'No colon-space in "nonsense" header field',
        NOT_R,
    ),
    (
        "1 two ids and a NUL",
        lambda d: also(b"Message-ID: <b@x>")(d) + b"\0\r\n",
        "Nul character in body",
        NOT_R,
    ),
    (
        "1 space before the colon of the id",
        lambda d: d.replace(b"Message-ID:", b"Message-ID :"),
        'Space before colon in "Message-ID" header field',
        NOT_R,
    ),
    ("1 no colon", also(b"nonsense"), 'No colon-space in "nonsense" header field', R),
    ("1 no space", also(b"X-A:b"), 'No colon-space in "X-A" header field', R),
    ("1 space before colon", also(b"X-A : b"), 'Space before colon in "X-A" header field', R),
    ("1 a name that is none", also("Ä: b".encode()), 'No colon-space in "Ã\x84" header field', R),
    (
        "1 no colon and no id",
        lambda d: without("Message-ID")(also(b"x")(d)),
        'No colon-space in "x" header field',
        NOT_R,
    ),
    (
        "2 too large",
        lambda d: d + b"x" * 10_000,
        f"Article of {len(GOOD) + 10_000} bytes exceeds local limit of 10000 bytes",
        R,
    ),
    ("3 no Path", without("Path"), 'Missing "Path" header field', NOT_R),
    ("3 a Path of nothing", field("Path", "!"), "Illegal path element", NOT_R),
    ("3 no Message-ID", without("Message-ID"), 'Missing "Message-ID" header field', NOT_R),
    *[
        (f"5 no {name}", without(name), f'Missing "{name}" header field', R)
        for name in ("Date", "From", "Newsgroups", "Subject")
    ],
    *[
        (f"5 two {name}", also(f"{name}: twice".encode()), f'Duplicate "{name}" header field', R)
        for name in ("Date", "From", "Newsgroups", "Path", "Subject")
    ],
    ("5 two ids", also(b"Message-ID: <b@x>"), 'Duplicate "Message-ID" header field', NOT_R),
    (
        "5 two ids and subjects",
        also(b"Subject: b\r\nMessage-ID: <b@x>"),
        'Duplicate "Subject" header field',
        NOT_R,
    ),
    ("5 empty Subject", field("Subject", " "), 'Missing "Subject" header field', R),
    ("6 an id without @", field("Message-ID", "<ax>"), 'Bad "Message-ID" header field', NOT_R),
    ("6 an id with a space", field("Message-ID", "<a b@x>"), 'Bad "Message-ID" header field', NOT_R),
    (
        "6 an id of 251 octets",
        field("Message-ID", f"<{'a' * 247}@x>"),
        'Bad "Message-ID" header field',
        NOT_R,
    ),
    ("8 Date", field("Date", "yesterday"), 'Bad "Date" header field -- "yesterday"', R),
    ("8 Injection-Date", field("Injection-Date", "soon"), 'Bad "Injection-Date" header field -- "soon"', R),
    ("9 too old", field("Date", at(-10.1)), f'Too old -- "{at(-10.1)}"', R),
    ("9 injected too long ago", field("Injection-Date", at(-11)), f'Too old -- "{at(-11)}"', R),
    (
        "10 in the future",
        field("Date", at(1.1)),
        f'Article injected or posted in the future -- "{at(1.1)}"',
        R,
    ),
    (
        "11 a colon in a group",
        field("Newsgroups", "a:b"),
        'Unwanted character in "Newsgroups" header field',
        R,
    ),
    ("11 no group at all", field("Newsgroups", ","), 'Unwanted character in "Newsgroups" header field', R),
    ("11 nor here", field("Newsgroups", ",\t,"), 'Unwanted character in "Newsgroups" header field', R),
    ("12 an excluded site", field("Path", "peer.test!bad.test!u"), "Unwanted site bad.test in path", R),
    ("14 a distribution of nothing", field("Distribution", ",x"), 'Bogus distribution ",x"', R),
    (
        "14 a distribution that is not for us",
        field("Distribution", "local"),
        'Unwanted distribution "local"',
        R,
    ),
    ("15 an unknown group", field("Newsgroups", "no.such"), 'Unwanted newsgroup "no.such"', R),
    ("15 not approved", field("Newsgroups", "local.test,local.mod"), 'Unapproved for "local.mod"', R),
    (
        "15 poison",
        field("Newsgroups", "local.test,local.secret"),
        'Won\'t accept posts in "local.secret"',
        NOT_R,
    ),
    ("15 status x", field("Newsgroups", "local.x"), 'Unwanted newsgroup "local.x"', R),
    ("16 not from this peer", field("Newsgroups", "local.apart"), 'Can\'t post to "local.apart"', NOT_R),
]


@pytest.mark.parametrize(
    ("spoil", "text", "remembered"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_row_of_inns_checks(spoil: Spoil, text: str, remembered: bool) -> None:
    found = verdict(spoil(GOOD))
    assert isinstance(found, No)
    assert found.text == text
    assert bool(found.message_id) is remembered


@pytest.mark.parametrize(
    ("spoil", "groups"),
    [
        (lambda d: d, ["local.test"]),
        (field("Newsgroups", "far.away,local.test"), ["local.test"]),
        (field("Newsgroups", "local.test,local.apart"), ["local.test"]),
        (field("Newsgroups", "local.n"), ["local.n"]),
        (field("Newsgroups", "local.j"), ["junk"]),
        (field("Newsgroups", "local.old"), ["local.test"]),
        (field("Newsgroups", "local.old,local.test"), ["local.test"]),  # each once
        (field("Injection-Date", at(-1)), ["local.test"]),
        (lambda d: field("Date", at(-400))(field("Injection-Date", at(-1))(d)), ["local.test"]),
        (lambda d: also(b"Approved: m@x")(field("Newsgroups", "local.mod")(d)), ["local.mod"]),
        (also(b"Control: cancel <b@x>"), ["control"]),
        (
            lambda d: also(b"Approved: m@x\r\nControl: newgroup a.b")(field("Newsgroups", "a.b")(d)),
            ["control"],
        ),
        # "in the interests of not dropping articles"
        (field("From", "nobody at all"), ["local.test"]),
        (field("Expires", "never"), ["local.test"]),
        (field("Followup-To", ",,"), ["local.test"]),
        (field("Newsgroups", ",local.test"), ["local.test"]),
        (field("Newsgroups", "local.test,"), ["local.test"]),
        (field("Newsgroups", "local.n,,local.test"), ["local.n", "local.test"]),
        (field("Newsgroups", "local.n, ,local.test"), ["local.n", "local.test"]),
        (field("Lines", "99"), ["local.test"]),
        (also("X-Eight: ä".encode("latin-1")), ["local.test"]),
        (also(b"X-Long: " + b"x" * 3000), ["local.test"]),
        (lambda d: d[: d.index(b"\r\n\r\n") + 4], ["local.test"]),  # an empty body
    ],
)
def test_what_is_taken(spoil: Spoil, groups: list[str]) -> None:
    assert verdict(spoil(GOOD)) == groups


def test_15_verify_groups() -> None:
    """INN: verifygroups."""
    found = verdict(field("Newsgroups", "far.away,local.test")(GOOD), verify=True)
    assert isinstance(found, No)
    assert (found.text, found.message_id) == ('Nonexistent newsgroup "far.away"', "<a@x>")


@pytest.mark.parametrize(
    ("said", "fuzz", "fits"),
    [
        ("1", 1, True),
        ("2", 1, True),
        ("3", 1, False),
        ("0", 1, True),
        ("9", 8, True),
        ("x", 5, False),
        ("9", 0, True),
    ],
)
def test_7_lines(said: str, fuzz: int, fits: bool) -> None:
    """INN: linecountfuzz."""
    found = verdict(field("Lines", said)(GOOD), Limits(10_000, 0, frozenset(), (), fuzz))
    if fits:
        assert found == ["local.test"]
    else:
        assert isinstance(found, No)
        assert (found.text, found.message_id) == (f"Linecount {said} != 1 +- {fuzz}", "<a@x>")


def test_7_lines_of_an_article_that_goes_on() -> None:
    article = arrive.read(field("Lines", "5000")(GOOD))
    assert isinstance(article, Arriving)
    article.lines = 5003
    assert arrive.judge(article, NOW, Limits(10_000, 0, frozenset(), (), 4)) is None
    assert arrive.judge(article, NOW, Limits(10_000, 0, frozenset(), (), 2)) is not None


@pytest.mark.parametrize(
    ("groups", "filed"),
    [
        ("no.such", ["junk"]),
        ("no.such,none.such", ["junk"]),
        ("no.such,local.test", ["local.test"]),
        ("local.apart,no.such", None),
        ("local.x", None),
        ("local.secret", None),
    ],
)
def test_junk_for_others(groups: str, filed: list[str] | None) -> None:
    """INN: wanttrash.  What this peer should not send, or what is not wanted here, is not junk."""
    found = verdict(field("Newsgroups", groups)(GOOD), junk=True)
    assert found == filed if filed else isinstance(found, No)


def test_names_of_fields_that_are_remembered_are_few_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[bytes, bytes] = {}
    monkeypatch.setattr(arrive, "_seen", seen)
    many = b"".join([b"X-%d: x\r\n" % number for number in range(3000)])
    for added in (b"X-" + b"y" * 100_000 + b": x\r\n", many, many):
        assert isinstance(arrive.read(added + GOOD), Arriving)
    assert len(seen) == arrive.MAX_SEEN
    assert max(map(len, seen)) <= arrive.MAX_SEEN_NAME


@pytest.mark.parametrize(
    ("folded", "value"),
    [
        (b"References: <1@x.example>\r\n\t<2@x.example>", b"<1@x.example>\t<2@x.example>"),
        (b"References: <1@x.example>\r\n  <2@x.example>", b"<1@x.example>  <2@x.example>"),
        (b"References:\r\n <2@x.example>", None),  # no field as it should be
        (
            b"References: <1@x.example>\r\n \r\n <2@x.example>",
            b"<1@x.example>\r\n \r\n <2@x.example>",
        ),  # as it came
        (b"References: <1@x.example> \r\n\t<2@x.example>", b"<1@x.example> \r\n\t<2@x.example>"),
    ],
)
def test_usual_folds_are_taken_back_at_once(folded: bytes, value: bytes | None) -> None:
    """RFC 5322 2.2.3, 3.2.2: unfolding takes the CRLF away, and no line of a fold is blank."""
    head = folded + b"\r\nSubject: s\r\n"
    arrive.plain_fields(head)  # names are remembered
    fields = arrive.plain_fields(head)
    assert fields == (None if value is None else {b"references": value, b"subject": b"s"})


def test_a_field_of_many_lines_costs_as_much_as_many_fields() -> None:
    """What is folded was put together line by line, each time anew: most of a second of nobody's turn."""
    with linear():
        assert arrive.plain_fields(b"X: y\r\n" + b" a\r\n" * 600_000 + b"nonsense\r\n") is None
