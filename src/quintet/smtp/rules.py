"""When each command may be given, and what it hears elsewhere.  RFC 5321 4.1.4."""

from __future__ import annotations

from typing import Final

from quintet.smtp import commands, replies
from quintet.values import dataclass


class State:
    """Where a connection stands; bits, as plain numbers: an enum.Flag costs a microsecond a command."""

    START: Final = 1  # nothing said yet
    READY: Final = 2  # greeted
    MAIL: Final = 4  # a sender, maybe recipients
    CHUNKS: Final = 8  # some of the message by BDAT
    ANY: Final = 15
    AWAY: Final = 16  # turned away by the greeting: QUIT is all that is left


@dataclass(frozen=True, slots=True)
class Rule:
    """When a command may be given, and what it hears elsewhere."""

    states: int
    section: str  # of RFC 5321
    ready: bytes = replies.NOT_NOW
    mail: bytes = replies.NOT_NOW
    chunks: bytes = replies.NOT_NOW

    def refusal(self, state: int) -> bytes:
        return _ELSEWHERE.get(state) or {State.READY: self.ready, State.MAIL: self.mail}.get(
            state, self.chunks
        )


_ELSEWHERE = {State.START: replies.HELLO_FIRST, State.AWAY: replies.NOT_NOW}
_NESTED = replies.NESTED
RULES: dict[type[commands.Command], Rule] = {
    commands.Hello: Rule(State.ANY, "4.1.1.1"),
    commands.Mail: Rule(State.READY, "4.1.1.2", mail=_NESTED, chunks=_NESTED),
    commands.Rcpt: Rule(State.MAIL, "4.1.1.3", ready=replies.SENDER_FIRST),
    commands.Data: Rule(State.MAIL, "4.1.1.4", ready=replies.SENDER_FIRST, chunks=replies.NO_DATA_AFTER_BDAT),
    commands.Message: Rule(State.MAIL, "4.1.1.4"),
    # its octets follow whatever we say, so `bdat` refuses by itself
    commands.Bdat: Rule(State.ANY | State.AWAY, "4.1.1.4"),
    commands.Burl: Rule(State.MAIL | State.CHUNKS, "RFC 4468 3.2", ready=replies.SENDER_FIRST),
    commands.Rset: Rule(State.ANY, "4.1.1.5"),
    commands.Vrfy: Rule(State.ANY, "4.1.1.6"),
    commands.Expn: Rule(State.ANY, "4.1.1.7"),
    commands.Help: Rule(State.ANY, "4.1.1.8"),
    commands.Noop: Rule(State.ANY, "4.1.1.9"),
    commands.Quit: Rule(State.ANY | State.AWAY, "4.1.1.10"),
    commands.Auth: Rule(State.READY, "2.2"),
    commands.StartTls: Rule(State.START | State.READY, "2.2"),
    commands.Etrn: Rule(State.READY, "2.2"),
    commands.Atrn: Rule(State.READY, "2.2"),
    commands.Xclient: Rule(State.START | State.READY, "2.2"),
    commands.Xforward: Rule(State.READY, "2.2"),
}
