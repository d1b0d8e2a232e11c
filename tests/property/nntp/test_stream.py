"""Articles are framed as they were sent, wherever the reads end (RFC 4644 2.5, RFC 3977 3.1.1)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quintet.errors import BadSyntax
from quintet.net.seam import Need
from quintet.nntp import commands
from quintet.nntp.commands import Command
from quintet.nntp.stream import Articles, Cancels, Frames, Offer, Sent
from quintet.nntp.wire import Wire

pieces = st.sampled_from([b".", b"..", b"\n", b"\r", b"\r\n", b"\n.", b"a", b"\r\n.", b"\r\n.\n", b"x: y"])
articles = st.lists(pieces, max_size=9).map(lambda made: b"".join(made) + b"\r\n")


def _stuffed(article: bytes) -> bytes:
    """The article with its end; dots are doubled where CRLF stands before them, and at the front."""
    return (b"\r\n" + article).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


@given(st.lists(articles, min_size=1, max_size=4), st.lists(st.integers(0, 60), max_size=4))
def test_takethis_is_framed_wherever_reads_end(sent: list[bytes], ends: list[int]) -> None:
    data = b"".join([b"TAKETHIS <%d@x>\r\n%b" % (n, _stuffed(one)) for n, one in enumerate(sent)])
    frames, came, at = Frames(), [], 0
    for end in (*sorted(ends), len(data)):
        while True:
            found, after = frames.take(data[:end], at)
            if not isinstance(found, Articles):
                break
            came += found.items
            at = after
    assert [one[:2] for one in came] == [(b"<%d@x>" % n, one) for n, one in enumerate(sent)]
    assert not any(dotless and b"\n." in b"\n" + one for _, one, dotless in came)
    assert at == len(data)


@given(articles)
def test_a_line_whose_dot_was_not_doubled_is_told(article: bytes) -> None:
    """RFC 3977 3.1.1: whoever does not double them might be cut off at the next line."""
    found, _ = Frames().sent(article + b".\r\n", 0, b"<a@b>")
    assert isinstance(found, Sent)
    sent = article[: article.find(b"\r\n.\r\n") + 2] if b"\r\n.\r\n" in article else article
    if article.startswith(b".\r\n"):
        sent = b""
    lines = sent.split(b"\r\n")
    assert found.undoubled == any(line[:1] == b"." and line[:2] != b".." for line in lines)


@given(articles, st.lists(st.integers(0, 60), max_size=4))
def test_an_article_that_was_asked_for_is_framed_wherever_reads_end(article: bytes, ends: list[int]) -> None:
    data, frames = _stuffed(article), Frames()
    for end in (*sorted(ends), len(data)):
        found, after = frames.sent(data[:end], 0, b"<a@b>")
        if found is not None:
            break
    assert isinstance(found, Sent)
    assert (found.message_id, found.article) == (b"<a@b>", article)
    assert not (found.dotless and b"\n." in b"\n" + article)
    assert after == len(data)


words = st.lists(
    st.sampled_from(["IHAVE", "ihave", "POST", "post", " ", "\t", "<a@b>", "<a b>", "<>", "\u00e9", "x"]),
    max_size=4,
)


@given(words, st.integers(0, 30))
def test_a_command_means_the_same_in_whatever_form_it_is_taken(made: list[str], cut: int) -> None:
    line = "".join(made).encode()
    wire = Wire()
    came: list[Any] = []
    for piece in (line[:cut], line[cut:] + b"\r\nDATE\r\n"):
        wire.feed(piece)
        while True:
            try:
                found = wire.next()
            except BadSyntax as error:
                found = error.reason
            if found is Need.DATA:
                break
            came.append(found)
    assert came.pop() == Command("DATE")
    if not line.strip(b" \t"):
        assert not came
        return
    (one,) = came
    if isinstance(one, Offer):
        one = Command("IHAVE", (one.message_id.decode(),))
    elif isinstance(one, Cancels):
        one = Command(one.ids[0].decode().upper())
    wanted = _parsed(line + b" ")  # in no form that is not parsed
    assert one == wanted or (one.name, one.args) == (wanted.name, wanted.args)


def _parsed(line: bytes) -> Any:
    try:
        return commands.parse(line)
    except BadSyntax as error:
        return error.reason
