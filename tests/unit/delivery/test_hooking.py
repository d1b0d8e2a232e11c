"""An administrator's hooks: the documented example runs, answers and failures lead where they should."""

import asyncio
import threading
from pathlib import Path

import pytest

from quintet import log
from quintet.config.policy import Policy, Scores
from quintet.delivery.envelope import Envelope, mailbox
from quintet.delivery.hooking import Hooked
from quintet.delivery.inbound import Inbound
from quintet.errors import Reason, Refused, TryLater
from quintet.net.seam import Peer
from quintet.policy import hooks, outcomes
from quintet.store import entries, folders
from quintet.store.content import content_of
from tests.support import dialogue
from tests.support.mailhouse import MailHouse, mail_house

EXAMPLE = Path(__file__).parents[3] / "contrib" / "hooks" / "example.py"
LETTER = content_of(b"Message-ID: <1@example.net>\r\nSubject: x\r\n\r\nbody\r\n")
IMPORTS = "from quintet.policy.hooks import *\n"


@pytest.fixture
async def house(tmp_path: Path):
    async with mail_house(tmp_path) as made:
        yield made


def hooked(house: MailHouse, asked: hooks.Hooks, **scores) -> Inbound:
    check = Hooked(asked)
    return Inbound(
        house.store, house.config, hostname="mx.example.org", clock=house.clock,
        policy=Policy(scores=Scores(**scores)), checks=[check], filters=[check.filter],
    )  # fmt: skip


def written(tmp_path: Path, text: str, **options) -> hooks.Hooks:
    path = tmp_path / "hooks.py"
    path.write_text(IMPORTS + text)
    return hooks.Hooks(path, **options)


async def sent(way: Inbound, *names: str, each: bool = False, content=LETTER) -> list:
    """A whole transaction, from connection to data."""
    peer = Peer("c1", "203.0.113.5", listener="smtp")
    for later in (way.connected(peer), way.greeted(peer)):
        if later is not None:
            await later
    made = Envelope(peer=peer, sender=mailbox("zoe@example.net"), helo="a.test", id="abc")
    later = way.sender(made)
    if later is not None:
        await later
    for name in names:
        found = way.recipient(made, mailbox(f"{name}@example.org"))
        probed = way.probe(made, found)
        made.recipients.append((await probed if probed is not None else None) or found)
    return await way.accept(made, content, each=each)


class HookedHouse(MailHouse):
    """A mail house with the example's hooks."""

    async def given(self, text: str) -> None:
        await super().given(text)
        self.inbound = hooked(self, hooks.Hooks(EXAMPLE), tag=1)


@pytest.mark.parametrize(("talk", "chunks"), list(dialogue.cases("hooks")))
async def test_example_of_the_documentation(
    talk: dialogue.Dialogue, chunks: tuple[int, ...], tmp_path: Path
) -> None:
    for chunk in chunks:
        async with mail_house(tmp_path / str(chunk), HookedHouse) as house:
            house.inbound = hooked(house, hooks.Hooks(EXAMPLE), tag=1)
            await talk.run(house, chunk)


async def test_example_files_where_it_says(house):
    way = hooked(house, hooks.Hooks(EXAMPLE))
    bulk = content_of(b"Precedence: bulk\r\nList-Id: <cats>\r\n\r\nbody\r\n")
    assert await sent(way, "alice", "bob", content=bulk) == [None, None]
    for name in ("alice", "bob"):
        found = house.store.peek(folders.find, await house.account_id(name), "Lists")
        (entry,) = house.store.peek(entries.listing, found.id)
        assert entry.keywords == ("$Bulk",)
    assert await sent(way, "alice", content=content_of(b"Subject: [test quarantine]\r\n\r\nx\r\n")) == [None]
    assert house.store.peek(folders.find, await house.account_id("alice"), "Quarantine").messages == 1


async def test_quarantine_of_mail_for_elsewhere_is_the_queues_hold(house, tmp_path):
    await house.given("forward sales@example.org to dora@elsewhere.example")
    by_hook = hooked(house, written(tmp_path, "def data(message): return quarantine()\n"))
    by_points = hooked(
        house, written(tmp_path, "def data(message): return add_score(7, 'bad words')\n"), quarantine=5
    )
    for way in (by_hook, by_points):
        assert await sent(way, "sales", "alice") == [None, None]
    held = await house.queued()
    assert [(row.state, row.hold_reason) for row in held] == [
        ("held", "quarantined: by a hook"),
        ("held", "quarantined: 7.0 points (bad-words=7.0)"),
    ]
    assert house.store.peek(folders.find, await house.account_id("alice"), "Quarantine").messages == 2


async def test_what_hooks_see(house, tmp_path):
    asked = written(
        tmp_path,
        "seen = []\n"
        "def connect(peer): seen.append(('connect', peer.address, peer.helo, peer.listener))\n"
        "async def mail(message): seen.append(('mail', message.sender, message.recipients))\n"
        "def rcpt(message, recipient): seen.append(('rcpt', recipient.address, recipient.local))\n"
        "def data(message):\n"
        "    with message.open() as file: body = file.read()\n"
        "    seen.append(('data', message.header('SUBJECT'), message.size, message.id, body))\n"
        "def delivery(message, recipient): seen.append(('delivery', recipient.address))\n",
    )
    assert await sent(hooked(house, asked), "alice", "bob") == [None, None]
    assert asked._functions["data"].__globals__["seen"] == [
        ("connect", "203.0.113.5", "", "smtp"),
        ("mail", "zoe@example.net", ()),
        ("rcpt", "alice@example.org", True),
        ("rcpt", "bob@example.org", True),
        ("data", "x", LETTER.size, "abc", LETTER.data),
        ("delivery", "alice@example.org"),
        ("delivery", "bob@example.org"),
    ]


async def test_narrow_and_late_answers_win(house, tmp_path):
    asked = written(
        tmp_path,
        "def mail(message): return file_into('Mail')\n"
        "def rcpt(message, recipient):\n"
        "    if recipient.address.startswith('bob'): return discard()\n"
        "def delivery(message, recipient):\n"
        "    if recipient.address.startswith('carol'): return accept()\n",
    )
    assert await sent(hooked(house, asked), "alice", "bob", "carol") == [None] * 3
    assert house.store.peek(folders.find, await house.account_id("alice"), "Mail").messages == 1
    assert house.store.peek(folders.find, await house.account_id("bob"), "Mail") is None
    assert [await house.count(name) for name in ("alice", "bob", "carol")] == [0, 0, 1]


async def test_one_recipient_refused_at_delivery(house, tmp_path):
    asked = written(
        tmp_path,
        "def delivery(message, recipient):\n"
        "    if recipient.address.startswith('bob'): return refuse('no', 552, '5.2.2')\n"
        "    if recipient.address.startswith('carol'): return defer('later')\n",
    )
    outcome = await sent(hooked(house, asked), "alice", "bob", "carol", each=True)
    assert [type(each) for each in outcome] == [type(None), outcomes.Refusal, outcomes.Delay]
    assert (outcome[1].code, outcome[1].enhanced, str(outcome[1])) == (552, "5.2.2", "no")
    with pytest.raises(outcomes.Delay):
        await sent(hooked(house, asked), "carol")


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('x')",
        "raise SystemExit(1)",
        "raise KeyboardInterrupt",
        "raise StopIteration",
        "return 'refuse'",
        "return refuse('x', 250)",
        "return add_header('Received', 'x')",
        "return add_header('A\\r\\nB', 'x')",
    ],
)
async def test_failing_hook_puts_off_or_goes_on_and_is_logged(house, tmp_path, body):
    text = f"def mail(message):\n    {body}\n"
    with log.capture() as lines, pytest.raises(TryLater) as caught:
        await sent(hooked(house, written(tmp_path, text)), "alice")
    assert caught.value.reason is Reason.BUSY
    (line,) = [line for line in lines if line["event"] == "hook failed"]
    assert (line["hook"], line["conn"]) == ("mail", "c1")
    assert await sent(hooked(house, written(tmp_path, text, failure="accept")), "alice") == [None]


async def test_hooks_have_a_time_limit_and_hold_up_nobody_else(house, tmp_path):
    gate = threading.Event()
    asked = written(
        tmp_path,
        "import asyncio\n"
        "gate = None\n"
        "def connect(peer): gate.wait(60)\n"
        "async def mail(message): await asyncio.sleep(3600)\n",
        timeout_s=0.05,
    )
    asked._functions["connect"].__globals__["gate"] = gate
    way = hooked(house, asked)
    calls = [way.connected(Peer(f"c{number}", "203.0.113.5")) for number in range(hooks.MAX_THREADS + 5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {TryLater}
    with pytest.raises(TryLater):
        await way.sender(Envelope(peer=Peer("c", "203.0.113.5")))
    gate.set()


async def test_a_hook_cannot_break_out_of_a_header_or_a_reply(house, tmp_path):
    asked = written(
        tmp_path,
        "def mail(message): return add_header('X-A', 'x\\r\\nBcc: y\\x00')\n"
        "def data(message): return refuse('a\\r\\n250 OK')\n",
    )
    with pytest.raises(Refused, match=r"a\?250 OK"):
        await sent(hooked(house, asked), "alice")
    assert outcomes.add_header("X-A", "x\r\nBcc: y\x00").line == b"X-A: x Bcc: y\r\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def mail(message:\n", "SyntaxError"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("mail = 3", "mail is no function"),
        ("x = 3", "there is none of the functions"),
        ("#" * (hooks.MAX_FILE + 1), "larger than"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, why):
    with pytest.raises(hooks.BadHooks, match=why):
        written(tmp_path, text)


def test_files_that_are_not_there_or_everybodys(tmp_path):
    with pytest.raises(hooks.BadHooks, match="No such file"):
        hooks.Hooks(tmp_path / "nothing.py")
    written(tmp_path, "def mail(message): pass\n")
    (tmp_path / "hooks.py").chmod(0o666)
    with pytest.raises(hooks.BadHooks, match="everybody may write"):
        hooks.Hooks(tmp_path / "hooks.py")
