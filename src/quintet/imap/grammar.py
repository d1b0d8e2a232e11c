"""One framed command line to one command (RFC 9051 9); FETCH and SEARCH have files of their own.

Pure.  `parse` raises `BadCommand`, which carries the tag, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from quintet.errors import BadSyntax, Reason
from quintet.imap import (
    annotation_grammar,
    append_grammar,
    commands,
    convert_grammar,
    fetch_grammar,
    find_grammar,
    notify_grammar,
    search_grammar,
    share_grammar,
    tree_grammar,
)
from quintet.imap.tokens import Cursor, is_tag

MAX_URLS = 100  # of one command
MAX_WORDS = 1000  # entries of any list in a command; no client needs more
REMEMBERED = 100  # octets behind the tag of a command that is remembered; and how such a one begins, for
REPEATED = (  # neither what is different each time is kept nor a secret
    b"NOOP", b"SELECT", b"EXAMINE", b"LIST", b"LSUB", b"STATUS", b"EXPUNGE", b"UID SEARCH", b"SEARCH",
    b"CHECK", b"CLOSE", b"IDLE", b"LOGOUT", b"CAPABILITY", b"NAMESPACE",
)  # fmt: skip
STATUS_ITEMS = frozenset(
    (b"MESSAGES", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"DELETED", b"SIZE", b"RECENT",  # RFC 9051 6.3.11
     b"HIGHESTMODSEQ", b"MAILBOXID", b"APPENDLIMIT",  # RFC 7162 3.1.2.2, RFC 8474 4.3, RFC 7889 4
     b"DELETED-STORAGE")  # RFC 9208 4.1.4
)  # fmt: skip
LIST_SELECT = frozenset((b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"))
LIST_RETURN = frozenset((b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"MYRIGHTS"))  # RFC 8440


class BadCommand(BadSyntax):
    """A command that cannot be understood, with the tag to answer it by (b"*" without one)."""

    def __init__(self, tag: bytes, text: str, reason: Reason = Reason.SYNTAX) -> None:
        super().__init__(text, reason)
        self.tag = tag


def tag_of(frame: bytes) -> bytes:
    """The tag at the start of ``frame``, or b"*"."""
    cursor = Cursor(frame)
    try:
        tag = cursor.tag()
    except BadSyntax:
        return b"*"
    return tag if cursor.at_end() or cursor.peek() == b" " else b"*"


def parse(frame: bytes) -> commands.Command:
    """The command that ``frame`` (a line without CRLF, short literals in place) writes."""
    tag, _, rest = frame.partition(b" ")
    if len(rest) <= REMEMBERED and rest.startswith(REPEATED) and is_tag(tag):
        try:
            known = _remembered(rest)
        except BadCommand:
            return _parse(frame)  # told with its own tag
        names: tuple[str, ...] = known.__match_args__[1:]
        return type(known)(tag, *[getattr(known, name) for name in names])
    return _parse(frame)


@lru_cache(maxsize=256)  # a client asks for the same all day; 10 us saved
def _remembered(rest: bytes) -> commands.Command:
    return _parse(b"t " + rest)


def _parse(frame: bytes) -> commands.Command:
    if frame.strip().upper() == b"DONE":
        return commands.Done(b"")
    cursor = Cursor(frame)
    try:
        tag = cursor.tag()
        cursor.space()
        name = cursor.word()
    except BadSyntax as error:
        raise BadCommand(tag_of(frame), error.text) from None
    try:
        if name == b"UID":
            cursor.space()
            name = b"UID " + cursor.word()
        build = COMMANDS.get(name)
        if build is None:
            raise BadSyntax("unknown command", Reason.UNKNOWN_COMMAND)
        command = build(cursor, tag)
        cursor.end()
    except BadSyntax as error:
        raise BadCommand(tag, error.text, error.reason) from None
    return command


# --- any state, not authenticated ----------------------------------------------------------------


def _id(cursor: Cursor, tag: bytes) -> commands.Id:
    cursor.space()
    if not cursor.accept(b"("):
        if cursor.word() != b"NIL":
            raise BadSyntax("expected a list or NIL")
        return commands.Id(tag, ())
    fields: list[tuple[bytes, bytes | None]] = []
    seen: set[bytes] = set()
    while not cursor.accept(b")"):
        if fields:
            cursor.space()
        if len(fields) == 30:
            raise BadSyntax("more than 30 fields", Reason.TOO_MANY)  # RFC 2971 3.3
        name = cursor.string()
        cursor.space()
        value = cursor.nstring()
        if len(name) > 30 or (value is not None and len(value) > 1024):
            raise BadSyntax("field too long", Reason.TOO_MANY)  # RFC 2971 3.3
        if name.lower() in seen:
            raise BadSyntax("a field comes twice")  # RFC 2971 3.3
        seen.add(name.lower())
        fields.append((name, value))
    return commands.Id(tag, tuple(fields))


def _authenticate(cursor: Cursor, tag: bytes) -> commands.Authenticate:
    cursor.space()
    mechanism = cursor.word().decode("ascii")
    initial = None
    if not cursor.at_end():
        cursor.space()
        initial, cursor.position = cursor.data[cursor.position :].strip(b" "), len(cursor.data)
    return commands.Authenticate(tag, mechanism, initial)


def _login(cursor: Cursor, tag: bytes) -> commands.Login:
    cursor.space()
    user = cursor.astring()
    cursor.space()
    return commands.Login(tag, user, cursor.astring())


def _enable(cursor: Cursor, tag: bytes) -> commands.Enable:
    names = []
    while True:
        cursor.space()
        names.append(cursor.word())
        if cursor.at_end() or len(names) > MAX_WORDS:
            return commands.Enable(tag, tuple(names))


# --- mailboxes ---------------------------------------------------------------------------------------


def _select(cursor: Cursor, tag: bytes, *, read_only: bool) -> commands.Select:
    cursor.space()
    mailbox = cursor.astring()
    condstore, annotate, resync = False, False, None
    if not cursor.at_end():
        cursor.space()
        cursor.expect(b"(")
        while True:
            name = cursor.word()
            if name == b"CONDSTORE":
                condstore = True
            elif name == b"ANNOTATE":
                annotate = True
            elif name == b"QRESYNC":
                cursor.space()
                resync = _resync(cursor)
            else:
                raise BadSyntax("unknown parameter")
            if cursor.accept(b")"):
                break
            cursor.space()
    return commands.Select(tag, mailbox, read_only, condstore, resync, annotate)


def _resync(cursor: Cursor) -> commands.Resync:
    """``(uidvalidity modseq [known-uids] [(known-sequence known-sequence-uids)])``."""
    cursor.expect(b"(")
    uid_validity = cursor.number()
    cursor.space()
    modseq = cursor.number64()
    known = sequence = uids = None
    if cursor.peek() == b" ":
        cursor.space()
        if cursor.peek() != b"(":
            known = cursor.plain_set()
        if known is None or cursor.peek() == b" ":
            if known is not None:
                cursor.space()
            cursor.expect(b"(")
            sequence = cursor.plain_set(ascending=True)
            cursor.space()
            uids = cursor.plain_set(ascending=True)
            cursor.expect(b")")
    cursor.expect(b")")
    return commands.Resync(uid_validity, modseq, known, sequence, uids)


def _create(cursor: Cursor, tag: bytes) -> commands.Create:
    cursor.space()
    mailbox = cursor.astring()
    use: tuple[bytes, ...] = ()
    if not cursor.at_end():
        cursor.space()
        cursor.expect(b"(")
        if cursor.word() != b"USE":
            raise BadSyntax("unknown parameter")
        cursor.space()
        use = cursor.flags()
        cursor.expect(b")")
    return commands.Create(tag, mailbox, use)


def _rename(cursor: Cursor, tag: bytes) -> commands.Rename:
    cursor.space()
    source = cursor.astring()
    cursor.space()
    return commands.Rename(tag, source, cursor.astring())


def _one_mailbox(cursor: Cursor) -> bytes:
    cursor.space()
    return cursor.astring()


def _words(cursor: Cursor, known: frozenset[bytes], what: str, *, least: int = 1) -> tuple[bytes, ...]:
    """``(A B C)`` of ``known`` words in upper case, each once; at ``least`` so many."""
    cursor.expect(b"(")
    found: dict[bytes, None] = {}
    while not cursor.accept(b")"):
        if found:
            cursor.space()
        word = cursor.word()
        if word not in known:
            raise BadSyntax(f"unknown {what}")
        found[word] = None
    if len(found) < least:
        raise BadSyntax(f"expected a {what}")
    return tuple(found)


def _list(cursor: Cursor, tag: bytes) -> commands.List:
    cursor.space()
    select: tuple[bytes, ...] = ()
    extended = cursor.peek() == b"("
    if extended:
        select = _words(cursor, LIST_SELECT, "selection option", least=0)
        if b"RECURSIVEMATCH" in select and not {b"SUBSCRIBED", b"SPECIAL-USE"} & set(select):
            raise BadSyntax("RECURSIVEMATCH needs SUBSCRIBED")  # RFC 9051 6.3.9.1
        cursor.space()
    reference = cursor.astring()
    cursor.space()
    if cursor.accept(b"("):
        extended = True
        patterns = [cursor.list_mailbox()]
        while not cursor.accept(b")"):
            cursor.space()
            patterns.append(cursor.list_mailbox())
            if len(patterns) > 100:
                raise BadSyntax("too many patterns", Reason.TOO_MANY)
    else:
        patterns = [cursor.list_mailbox()]
    give: set[bytes] = set()
    status: tuple[bytes, ...] = ()
    metadata: tuple[str, ...] = ()
    if not cursor.at_end():
        cursor.space()
        if cursor.word() != b"RETURN":
            raise BadSyntax("expected RETURN")
        cursor.space()
        give, status, metadata = _list_return(cursor)
        extended = True
    return commands.List(
        tag, reference, tuple(patterns), frozenset(select), frozenset(give), status, extended, metadata
    )


def _list_return(cursor: Cursor) -> tuple[set[bytes], tuple[bytes, ...], tuple[str, ...]]:
    cursor.expect(b"(")
    give: set[bytes] = set()
    status: tuple[bytes, ...] = ()
    metadata: tuple[str, ...] = ()
    while not cursor.accept(b")"):
        if give or status or metadata:
            cursor.space()
        word = cursor.word()
        if word == b"STATUS":  # RFC 5819 2
            cursor.space()
            status = _words(cursor, STATUS_ITEMS, "status item")
        elif word == b"METADATA":  # RFC 9590 3
            cursor.space()
            if cursor.peek() != b"(":
                raise BadSyntax("expected a list of entries")
            metadata = share_grammar.entries(cursor)
        elif word in LIST_RETURN:
            give.add(word)
        else:
            raise BadSyntax("unknown return option")
    return give, status, metadata


def _lsub(cursor: Cursor, tag: bytes) -> commands.Lsub:
    cursor.space()
    reference = cursor.astring()
    cursor.space()
    return commands.Lsub(tag, reference, cursor.list_mailbox())


def _status(cursor: Cursor, tag: bytes) -> commands.Status:
    cursor.space()
    mailbox = cursor.astring()
    cursor.space()
    return commands.Status(tag, mailbox, _words(cursor, STATUS_ITEMS, "status item"))


def _append(cursor: Cursor, tag: bytes) -> commands.Append:
    cursor.space()
    mailbox = cursor.astring()
    return commands.Append(tag, mailbox, append_grammar.stretch(cursor))


def _replace(cursor: Cursor, tag: bytes, *, uid: bool) -> commands.Replace:
    """RFC 8508 5."""
    cursor.space()
    number = cursor.sequence_set()
    if number.saved or len(number.ranges) != 1 or number.ranges[0][0] != number.ranges[0][1]:
        raise BadSyntax("expected one number")
    cursor.space()
    mailbox = cursor.astring()
    return commands.Replace(tag, mailbox, append_grammar.stretch(cursor), uid, number)


# --- URLs (RFC 4467 9) ---------------------------------------------------------------------------


def _generate(cursor: Cursor, tag: bytes) -> commands.GenUrlAuth:
    pairs: list[tuple[bytes, bytes]] = []
    while not pairs or not cursor.at_end():
        if len(pairs) == MAX_URLS:
            raise BadSyntax("too many URLs", Reason.TOO_MANY)
        cursor.space()
        url = cursor.astring()
        cursor.space()
        pairs.append((url, cursor.word()))
    return commands.GenUrlAuth(tag, tuple(pairs))


def _url_fetch(cursor: Cursor, tag: bytes) -> commands.UrlFetch:
    urls: list[tuple[bytes, tuple[bytes, ...]]] = []
    while not urls or not cursor.at_end():
        if len(urls) == MAX_URLS:
            raise BadSyntax("too many URLs", Reason.TOO_MANY)
        cursor.space()
        urls.append(_url_wish(cursor) if cursor.accept(b"(") else (cursor.astring(), ()))
    return commands.UrlFetch(tag, tuple(urls))


def _url_wish(cursor: Cursor) -> tuple[bytes, tuple[bytes, ...]]:
    """``url BINARY BODYPARTSTRUCTURE)`` (RFC 5524 5)."""
    url = cursor.astring()
    wishes: list[bytes] = []
    while not cursor.accept(b")"):
        cursor.space()
        word = cursor.word()
        if word not in (b"BODY", b"BINARY", b"BODYPARTSTRUCTURE") or word in wishes:
            raise BadSyntax("unknown parameter, or one twice")
        wishes.append(word)
    if {b"BODY", b"BINARY"} <= set(wishes):
        raise BadSyntax("BODY or BINARY, not both")  # RFC 5524 3.1
    return url, tuple(wishes)


def _reset_key(cursor: Cursor, tag: bytes) -> commands.ResetKey:
    if cursor.at_end():
        return commands.ResetKey(tag, None)
    cursor.space()
    mailbox = cursor.astring()
    while not cursor.at_end():  # mechanisms: there is only one
        cursor.space()
        cursor.word()
    return commands.ResetKey(tag, mailbox)


# --- messages -----------------------------------------------------------------------------------------------


def _store(cursor: Cursor, tag: bytes, *, uid: bool) -> commands.Store | commands.Annotate:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    unchanged_since = None
    if cursor.accept(b"("):
        if cursor.word() != b"UNCHANGEDSINCE":
            raise BadSyntax("unknown modifier")
        cursor.space()
        unchanged_since = cursor.number64()
        cursor.expect(b")")
        cursor.space()
    name = cursor.word()
    if name == b"ANNOTATION":
        cursor.space()
        return commands.Annotate(tag, uid, numbers, annotation_grammar.remarks(cursor), unchanged_since)
    mode: Literal["+", "-", "="] = "+" if name[:1] == b"+" else "-" if name[:1] == b"-" else "="
    name = name[1:] if mode != "=" else name
    if name not in (b"FLAGS", b"FLAGS.SILENT"):
        raise BadSyntax("unknown data item")
    cursor.space()
    if cursor.peek() == b"(":
        flags = cursor.flags()
    else:
        found = [cursor.flag()]
        while not cursor.at_end():
            cursor.space()
            found.append(cursor.flag())
        flags = tuple(found)
    return commands.Store(tag, uid, numbers, mode, flags, name.endswith(b".SILENT"), unchanged_since)


def _copy(cursor: Cursor, tag: bytes, *, uid: bool, move: bool) -> commands.Copy:
    cursor.space()
    numbers = cursor.sequence_set()
    cursor.space()
    return commands.Copy(tag, uid, numbers, cursor.astring(), move)


def _uid_expunge(cursor: Cursor, tag: bytes) -> commands.Expunge:
    cursor.space()
    return commands.Expunge(tag, cursor.sequence_set())


COMMANDS: dict[bytes, Callable[[Cursor, bytes], commands.Command]] = {
    b"CAPABILITY": lambda _, tag: commands.Capability(tag),
    b"NOOP": lambda _, tag: commands.Noop(tag),
    b"LOGOUT": lambda _, tag: commands.Logout(tag),
    b"ID": _id,
    b"STARTTLS": lambda _, tag: commands.StartTls(tag),
    b"AUTHENTICATE": _authenticate,
    b"LOGIN": _login,
    b"ENABLE": _enable,
    b"COMPRESS": tree_grammar.compress,
    b"UNAUTHENTICATE": tree_grammar.unauthenticate,
    b"LANGUAGE": tree_grammar.language,
    b"COMPARATOR": tree_grammar.comparator,
    b"SELECT": lambda cursor, tag: _select(cursor, tag, read_only=False),
    b"EXAMINE": lambda cursor, tag: _select(cursor, tag, read_only=True),
    b"CREATE": _create,
    b"DELETE": lambda cursor, tag: commands.Delete(tag, _one_mailbox(cursor)),
    b"RENAME": _rename,
    b"SUBSCRIBE": lambda cursor, tag: commands.Subscribe(tag, _one_mailbox(cursor), wanted=True),
    b"UNSUBSCRIBE": lambda cursor, tag: commands.Subscribe(tag, _one_mailbox(cursor), wanted=False),
    b"LIST": _list,
    b"LSUB": _lsub,
    b"RLIST": tree_grammar.rlist,
    b"RLSUB": tree_grammar.rlsub,
    b"XLIST": tree_grammar.xlist,
    b"NAMESPACE": lambda _, tag: commands.Namespace(tag),
    b"STATUS": _status,
    b"APPEND": _append,
    b"IDLE": lambda _, tag: commands.Idle(tag),
    b"NOTIFY": notify_grammar.notify,
    b"SETACL": share_grammar.set_acl,
    b"DELETEACL": share_grammar.delete_acl,
    b"GETACL": share_grammar.get_acl,
    b"LISTRIGHTS": share_grammar.list_rights,
    b"MYRIGHTS": share_grammar.my_rights,
    b"GETMETADATA": share_grammar.get_metadata,
    b"SETMETADATA": share_grammar.set_metadata,
    b"GETQUOTA": share_grammar.get_quota,
    b"GETQUOTAROOT": share_grammar.get_quota_root,
    b"SETQUOTA": share_grammar.set_quota,
    b"GENURLAUTH": _generate,
    b"URLFETCH": _url_fetch,
    b"RESETKEY": _reset_key,
    b"CHECK": lambda _, tag: commands.Check(tag),
    b"CLOSE": lambda _, tag: commands.Close(tag),
    b"UNSELECT": lambda _, tag: commands.Unselect(tag),
    b"EXPUNGE": lambda _, tag: commands.Expunge(tag),
    b"UID EXPUNGE": _uid_expunge,
    b"SEARCH": lambda cursor, tag: search_grammar.search(cursor, tag, uid=False),
    b"UID SEARCH": lambda cursor, tag: search_grammar.search(cursor, tag, uid=True),
    b"SORT": lambda cursor, tag: find_grammar.sort(cursor, tag, uid=False),
    b"UID SORT": lambda cursor, tag: find_grammar.sort(cursor, tag, uid=True),
    b"THREAD": lambda cursor, tag: find_grammar.thread(cursor, tag, uid=False),
    b"UID THREAD": lambda cursor, tag: find_grammar.thread(cursor, tag, uid=True),
    b"ESEARCH": find_grammar.multi_search,
    b"CANCELUPDATE": find_grammar.cancel_update,
    b"FETCH": lambda cursor, tag: fetch_grammar.fetch(cursor, tag, uid=False),
    b"UID FETCH": lambda cursor, tag: fetch_grammar.fetch(cursor, tag, uid=True),
    b"STORE": lambda cursor, tag: _store(cursor, tag, uid=False),
    b"UID STORE": lambda cursor, tag: _store(cursor, tag, uid=True),
    b"COPY": lambda cursor, tag: _copy(cursor, tag, uid=False, move=False),
    b"UID COPY": lambda cursor, tag: _copy(cursor, tag, uid=True, move=False),
    b"MOVE": lambda cursor, tag: _copy(cursor, tag, uid=False, move=True),
    b"UID MOVE": lambda cursor, tag: _copy(cursor, tag, uid=True, move=True),
    b"REPLACE": lambda cursor, tag: _replace(cursor, tag, uid=False),
    b"CONVERSIONS": convert_grammar.conversions,
    b"CONVERT": lambda cursor, tag: convert_grammar.convert(cursor, tag, uid=False),
    b"UID CONVERT": lambda cursor, tag: convert_grammar.convert(cursor, tag, uid=True),
    b"UIDBATCHES": convert_grammar.batches,
    b"UID REPLACE": lambda cursor, tag: _replace(cursor, tag, uid=True),
}
