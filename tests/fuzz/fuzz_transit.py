"""Any bytes as an article of a peer, and as a stream of them: a value or a refusal comes out, no error."""

from quintet.delivery import arrive
from quintet.delivery.arrive import Arriving, Limits
from quintet.errors import BadSyntax, Problem
from quintet.message import quick, scan
from quintet.net.seam import Need
from quintet.nntp.stream import Articles, Sending, Sent
from quintet.nntp.wire import Wire
from quintet.policy.newsfilter import patterns

HEAD = b"Path: a!b\r\nFrom: a\r\nNewsgroups: g\r\nSubject: s\r\nDate: Fri, 21 Nov 2025 08:00:00 +0000\r\n"
SEEDS = [
    HEAD + b"Message-ID: <a@b>\r\n\r\nHello\r\n..x\r\n",
    HEAD + b"Message-ID: <a@b>\r\nControl: cancel <c@d>\r\nDistribution: x, y\r\n\r\n",
    HEAD + b"Message-ID: <a@b>\r\nContent-Type: text/plain; charset=x\r\nXref: a b:1,\r\n c:2\r\n\r\nHello",
    HEAD + b"Message-ID: <a@b>\r\nXref: a\n b:1\n\r\n\r\nHello",
    b"CHECK <a@b>\r\nTAKETHIS <a@b>\r\nPath: x\r\n\r\n..\r\n.\r\nTAKETHIS <c@d>\r\n.\r\nQUIT\r\n",
    b"comp.*,!comp.os.*,@alt.binaries.*",
]
LIMITS = Limits(1_000_000, 86_400_000, frozenset(("bad",)), ("world", "!local"))


def target(data: bytes) -> None:
    """See the module."""
    _article(data)
    for awaited in (None, b"<i@j>"):
        wire = Wire()
        wire.awaited = awaited
        wire.feed(data)
        while True:
            try:
                found = wire.next()
            except Problem:
                break
            if found is Need.DATA:
                break
            assert not isinstance(found, Sent | Sending) or found.message_id == awaited
            if isinstance(found, Articles):
                assert all(len(each) <= arrive.MAX_MESSAGE_ID for each, _, _ in found.items)
    try:
        patterns(data.decode("latin-1")[:200]).of(["local.test", "alt.binaries.x"])
    except BadSyntax:
        pass


def _article(data: bytes) -> None:
    article = arrive.read(data)
    if not isinstance(article, Arriving):
        assert len(article.text) < 400
        return
    kept = article.header + b"\r\n" + article.body
    found = quick.digest(article.listed, kept, len(article.header) + 2)
    assert found is None or found == scan.scan(kept)
    arrive.judge(article, 1_763_715_600_000, LIMITS)
    arrive.choose(article, {"g": "y", "h": "=g", "i": "m"}, patterns("*,!x.*"), verify=True)
    arrive.new_path("us.example", article.path, ("them",), "192.0.2.1")
