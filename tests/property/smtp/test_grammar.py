"""Addresses and commands: what is written is read back, and nothing but BadSyntax or Hangup comes out."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.delivery.envelope import Mailbox, mailbox
from quintet.errors import BadSyntax, Hangup, Refused
from quintet.net import dots
from quintet.net.seam import Need
from quintet.smtp import address, commands
from quintet.smtp.repair import Repairer
from quintet.smtp.wire import SmtpWire

LABEL = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
LITERAL = st.one_of(
    st.ip_addresses(v=4).map(lambda ip: f"[{ip}]"), st.ip_addresses(v=6).map(lambda ip: f"[ipv6:{ip}]")
)
QUOTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
UNICODE = st.text(
    st.characters(min_codepoint=0xA1, max_codepoint=0x2FFF, exclude_categories=("Cs", "Zl", "Zp")),
    min_size=1,
    max_size=10,
)
MAILBOX = st.builds(Mailbox, st.one_of(QUOTABLE, UNICODE), st.one_of(DOMAIN, LITERAL))
KEYWORD = st.from_regex(r"[A-Z][A-Z0-9-]{0,9}", fullmatch=True)
VALUE = st.one_of(st.none(), st.from_regex(rb"[!-<>-~]{1,20}", fullmatch=True))
PARAMETERS = st.dictionaries(KEYWORD, VALUE, max_size=4)


@given(MAILBOX)
def test_mailbox_is_read_as_it_is_written(box: Mailbox) -> None:
    assert address.parse_mailbox(str(box).encode()) == box
    assert mailbox(str(box)) == box


@given(MAILBOX, st.lists(DOMAIN, min_size=1, max_size=3))
def test_source_route_is_ignored(box: Mailbox, hosts: list[str]) -> None:
    route = ",".join(f"@{host}" for host in hosts)
    assert address.take_path(f"<{route}:{box}> X=1".encode()) == (box, b" X=1")


@given(MAILBOX, PARAMETERS)
def test_mail_and_rcpt_with_parameters(box: Mailbox, parameters: dict[str, bytes | None]) -> None:
    tail = b"".join(
        b" " + key.encode() + (b"" if value is None else b"=" + value) for key, value in parameters.items()
    )
    expected = tuple(parameters.items())
    assert commands.parse(b"MAIL FROM:<" + str(box).encode() + b">" + tail) == commands.Mail(box, expected)
    assert commands.parse(b"rcpt to:<" + str(box).encode() + b">" + tail) == commands.Rcpt(box, expected)


LINES = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.sampled_from(sorted(commands.READERS)), st.binary(max_size=60)).map(b" ".join),
    st.tuples(
        st.sampled_from([b"MAIL FROM:", b"RCPT TO:"]), st.text('<>@.":,[]\\ a1\u00e9=-', max_size=30)
    ).map(lambda pair: pair[0] + pair[1].encode()),
)


@given(LINES)
def test_any_line_is_a_command_or_a_refusal(line: bytes) -> None:
    try:
        command = commands.parse(line)
    except (BadSyntax, Hangup):
        return
    if isinstance(command, commands.Mail | commands.Rcpt):
        box = command.sender if isinstance(command, commands.Mail) else command.recipient
        assert mailbox(str(box)) == box
        assert "\r" not in str(box)
        assert "\n" not in str(box)


@given(st.lists(st.binary(max_size=40), max_size=10), st.integers(1, 50))
def test_wire_says_the_same_in_every_chunking(lines: list[bytes], chunk: int) -> None:
    data = b"\r\n".join(lines) + b"\r\n"

    def heard(size: int) -> list[object]:
        wire, found = SmtpWire(), []
        for at in range(0, len(data), size):
            wire.feed(data[at : at + size])
            while True:
                try:
                    command = wire.next()
                except (BadSyntax, Hangup) as problem:
                    command = (type(problem), problem.reason)
                if command is Need.DATA:
                    break
                found.append(command)
        return found

    assert heard(chunk) == heard(len(data))


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"."]), max_size=30), st.integers(1, 7))
def test_repaired_text_has_whole_line_ends_only(pieces: list[bytes], chunk: int) -> None:
    data = b"".join(pieces)
    repairer = Repairer()
    out = (
        b"".join(repairer.feed(data[at : at + chunk]) for at in range(0, len(data), chunk))
        + repairer.finish()
    )
    assert out == data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


ENDS = [b"\r\n", b"\n", b"\r"]


@given(
    st.lists(st.sampled_from([b"a", b"bc.", b"\r\n", b"\r\n", b"d"]), max_size=12),
    st.sampled_from(ENDS),
    st.sampled_from(ENDS),
    st.lists(st.sampled_from([b"a", b"\r\n"]), max_size=6),
    st.integers(1, 9),
)
def test_hidden_end_of_data_is_seen_in_every_chunking(
    before: list[bytes], first: bytes, second: bytes, after: list[bytes], chunk: int
) -> None:
    wire = b"x" + b"".join(before) + b"y" + first + b"." + second + b"z" + b"".join(after) + b"\r\n.\r\n"
    reader = dots.Reader()
    repairer = Repairer(guarded=True)
    try:
        for at in range(0, len(wire), chunk):
            if not reader.done:
                repairer.feed(reader.feed(wire[at : at + chunk]))
        repairer.finish()
    except Refused:
        assert (first, second) != (b"\r\n", b"\r\n")
    else:
        assert first == second == b"\r\n"


PLAIN_OR_NOT = st.one_of(
    MAILBOX.map(lambda box: f"RCPT TO:<{box}>\r\n".encode()),
    st.builds("RCPT TO:<{}@{}>\r\n".format, LABEL, DOMAIN).map(str.encode),
    st.sampled_from(
        [
            b"RCPT TO:<a@b> NOTIFY=NEVER\r\n",
            b"RCPT TO:<a..b@c>\r\n",
            b"RCPT TO:<a@b>\n",
            b"DATA\r\n",
            b"rcpt to:<a@b>\r\n",
            b"RCPT TO:<a@b",
        ]
    ),
    LINES.map(lambda line: line + b"\r\n"),
)


@given(st.lists(PLAIN_OR_NOT, max_size=6).map(b"".join))
def test_recipients_that_are_seen_together_are_those_that_would_be_read(stream: bytes) -> None:
    """RFC 2920 3.1: a pipeline means what its commands mean one by one."""
    ahead, behind = SmtpWire(), SmtpWire()
    ahead.feed(stream)
    behind.feed(stream)
    seen = ahead.recipients()
    for address_ in seen:
        command = behind.next()
        assert isinstance(command, commands.Rcpt)
        assert (str(command.recipient), command.parameters) == (
            command.recipient.local + "@" + address_.rpartition("@")[2].lower(),
            (),
        )
        assert command.recipient.local == address_.rpartition("@")[0]
    ahead.pass_over(seen)
    assert ahead.take(len(ahead)) == behind.take(len(behind))


@given(st.lists(PLAIN_OR_NOT, max_size=2).map(b"".join))
def test_data_that_ends_a_group_is_the_data_that_would_be_read(stream: bytes) -> None:
    """RFC 2920 3.1: DATA is the last of its group; with something behind it, it is read by itself."""
    ahead, behind = SmtpWire(), SmtpWire()
    ahead.feed(stream)
    behind.feed(stream)
    if ahead.go_ahead():
        assert isinstance(behind.next(), commands.Data)
        assert ahead.owed
        assert len(ahead) == len(behind) == 0
    else:
        assert not ahead.owed
        assert ahead.take(len(ahead)) == stream
