"""The demo articles: three groups with threads, a cross-post and an announcement."""

from __future__ import annotations

from quintet.admin.demo.item import Item

PY = ("comp.lang.python",)
TEST = ("local.test",)
BOTH = ("comp.lang.python", "local.test")
ALICE = "Alice Liddell <alice@example.org>"
BOB = "Bob Builder <bob@example.org>"
CAROL = "Carol Nguyễn <carol@example.org>"

GROUPS: tuple[tuple[str, str, str], ...] = (
    ("local.test", "y", "Try things here; nobody minds"),
    ("local.announce", "m", "Announcements of this server"),
    ("comp.lang.python", "y", "Discussion about Python"),
)
"""Name, status (RFC 6048: y posting allowed, m moderated) and description."""

ARTICLES: tuple[Item, ...] = (
    Item(
        "hello-news",
        "Quintet <news@example.org>",
        "First article",
        "If you can read this, news works.\n\nPost an answer here; local.test is for that.\n",
        200,
        groups=TEST,
    ),
    Item(
        "announce-1",
        "Quintet <news@example.org>",
        "This server keeps mail and news in one place",
        "An article in a group is the same object in every protocol: its number here is its UID in IMAP, and the\n"
        "read marks of those who log in follow them.\n\nOnly moderators post to this group.\n",
        190,
        groups=("local.announce",),
        extra=(("Approved", "moderator@example.org"),),
    ),
    Item(
        "walrus-1",
        BOB,
        "When would you use the walrus operator?",
        "I have read about := and still write two lines.  Where does it pay?\n\nBob\n",
        150,
        groups=PY,
    ),
    Item(
        "walrus-2",
        CAROL,
        "Re: When would you use the walrus operator?",
        "Bob Builder wrote:\n> Where does it pay?\n\nReading until there is nothing left:\n\n"
        "    while chunk := file.read(65536):\n        digest.update(chunk)\n\nCarol\n",
        148,
        groups=PY,
        answers=("walrus-1",),
    ),
    Item(
        "walrus-3",
        ALICE,
        "Re: When would you use the walrus operator?",
        "Carol wrote:\n>     while chunk := file.read(65536):\n\nAnd with a match that you need afterwards:\n\n"
        "    if found := PATTERN.match(line):\n        use(found[1])\n\nAlice\n",
        147,
        groups=PY,
        answers=("walrus-1", "walrus-2"),
    ),
    Item(
        "walrus-4",
        BOB,
        "Re: When would you use the walrus operator?",
        "Convinced.  Thanks!\n",
        146,
        groups=PY,
        answers=("walrus-1", "walrus-2", "walrus-3"),
    ),
    Item(
        "sorting",
        "Jürgen Müßig <juergen.muessig@example.com>",
        "Umlaute sortieren",
        "Wie sortiert man »Äpfel« zwischen »Affe« und »Birne«, ohne eine große Bibliothek?\n\n"
        "    sorted(words, key=locale.strxfrm)\n\nhängt an der eingestellten Sprache.\n\nJürgen\n",
        130,
        groups=PY,
    ),
    Item(
        "sorting-2",
        "佐藤 由紀 <yuki@example.net>",
        "Re: Umlaute sortieren",
        "Same question for Japanese: 五十音順 needs the reading, not the characters.\n"
        "I keep a second column with the kana and sort by that.\n\n由紀\n",
        128,
        groups=PY,
        answers=("sorting",),
    ),
    Item(
        "asyncio-1",
        CAROL,
        "asyncio: a Protocol or streams for a line server?",
        "For ten thousand mostly idle connections, is it worth leaving StreamReader for a Protocol?\n\nCarol\n",
        80,
        groups=PY,
    ),
    Item(
        "asyncio-2",
        ALICE,
        "Re: asyncio: a Protocol or streams for a line server?",
        "Measure with a pipeline: one wake-up for sixteen lines is another world than sixteen wake-ups.\n\nAlice\n",
        79,
        groups=PY,
        answers=("asyncio-1",),
    ),
    Item(
        "crosspost",
        BOB,
        "Does this cross-post carry one Xref?",
        "Posted to comp.lang.python and local.test at once: one article, two numbers.\n",
        60,
        groups=BOTH,
        extra=(("Followup-To", "local.test"),),
    ),
    Item(
        "signature",
        "Zoë Châtelain <zoe@example.com>",
        "Ma première question ici",
        "Bonjour,\n\ncomment lit-on un très gros fichier CSV sans tout garder en mémoire ?\n\n-- \nZoë\nLyon\n",
        36,
        groups=PY,
    ),
    Item(
        "signature-2",
        BOB,
        "Re: Ma première question ici",
        "Iterate; csv.reader holds one row:\n\n    with open(name, newline='') as file:\n        for row in csv.reader(file):\n"
        "            ...\n",
        35,
        groups=PY,
        answers=("signature",),
    ),
    Item("test-1", ALICE, "test", "test\n", 8, groups=TEST),
    Item("test-2", BOB, "Re: test", "passed\n", 7, groups=TEST, answers=("test-1",)),
)
