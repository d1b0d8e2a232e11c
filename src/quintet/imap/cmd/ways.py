"""How client and server talk: COMPRESS, UNAUTHENTICATE, LANGUAGE, COMPARATOR (RFC 4978, 8437, 5255)."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from quintet import log
from quintet.errors import BadSyntax, Reason, Refused
from quintet.imap import answers, languages, updates
from quintet.imap import format as fmt
from quintet.imap.cmd import listing
from quintet.message import collation
from quintet.net.seam import Ask
from quintet.store import accounts

if TYPE_CHECKING:
    from quintet.imap import tree_commands
    from quintet.imap.session import Session
    from quintet.net.seam import Input, Replies

logger = log.get("imap")


def compress(session: Session, command: tree_commands.Compress, _: Input) -> Replies:
    """RFC 4978 3: DEFLATE both ways, once."""
    if command.algorithm != b"DEFLATE":
        raise BadSyntax("unknown algorithm")
    if session.compressed:
        raise BadSyntax("DEFLATE is active already", Reason.WRONG_STATE)
    session.compressed = True
    return [b"%b OK DEFLATE active\r\n" % command.tag, Ask.COMPRESS]


def unauthenticate(session: Session, command: tree_commands.Unauthenticate, _: Input) -> Replies:
    """RFC 8437 3: as before the login; only TLS stays.  It can be switched off (section 8)."""
    if not session.house.config.unauthenticate:
        raise BadSyntax("unknown command", Reason.UNKNOWN_COMMAND)
    logger.info("logout", conn=session.peer.id, account=session.user.name)
    compressed = session.compressed
    session.forget()
    said = b"%b OK Logged out\r\n" % command.tag
    return [said, Ask.PLAIN] if compressed else [said]


def language(session: Session, command: tree_commands.Language, _: Input) -> Replies:
    """RFC 5255 3.2; what the namespaces are called follows, once there are any (3.4)."""
    if not command.ranges:
        told = " ".join(languages.LANGUAGES).encode("ascii")
        return [b"* LANGUAGE (%b)\r\n%b OK Languages told\r\n" % (told, command.tag)]
    try:
        found = languages.chosen([one.decode("ascii") for one in command.ranges], _preferred(session))
    except ValueError as error:  # not ASCII is one too
        raise BadSyntax("not a language range") from error
    if found is None:
        raise Refused(Reason.UNSUPPORTED, "no such language")
    session.language = found
    told = b"* LANGUAGE (%b)\r\n" % found.encode("ascii")
    if session.identity is not None:
        told += listing.namespaces(session)
    return [told + b"%b OK Language changed\r\n" % command.tag]


def _preferred(session: Session) -> str:
    """What "default" means: the account's language, else the administrator's."""
    own = ""
    if session.identity is not None:
        own = session.house.store.peek(accounts.get, session.identity.account_id).language
    return own.lower() or session.house.config.language


def comparator(session: Session, command: tree_commands.Comparator, _: Input) -> Replies:
    """RFC 5255 4.7: the first pattern that fits decides; more than one fitting are listed (4.8)."""
    fitting: list[str] = []
    if command.patterns:
        for raw in command.patterns:
            fitting += [name for name in _fitting(raw) if name not in fitting]
        if not fitting:
            raise answers.Coded(b"BADCOMPARATOR", Reason.UNSUPPORTED, "no such comparator")
        session.comparator = collation.COLLATIONS[fitting[0]]
    told = b"* COMPARATOR %b" % fmt.astring(session.comparator.name.encode("ascii"))
    if len(fitting) > 1:
        told += b" (%b)" % b" ".join(fmt.astring(name.encode("ascii")) for name in fitting)
    return updates.then(session, told + b"\r\n%b OK Done\r\n" % command.tag)


def _fitting(raw: bytes) -> list[str]:
    """The comparators that a pattern names (RFC 4790 3.2): "*" stands for anything."""
    try:
        pattern = raw.decode("ascii").lower()
    except UnicodeDecodeError:
        return []
    if pattern == "default":
        return [collation.CASEMAP.name]
    if any(letter in pattern for letter in "?[]"):
        return []
    offered = [one.name for one in collation.COLLATIONS.values() if one.substring]
    return [name for name in offered if fnmatch.fnmatchcase(name, pattern)]
