"""What a mailing list writes: the header of a post as members get it, its notices, its tokens.  Pure.

The List-* fields are RFC 2369's and RFC 2919's; a post keeps its bytes otherwise, so that signatures hold
unless the list has a tag, sets Reply-To or puts itself into From.  RFC 3834 (automatic answers),
RFC 5321 3.9.2.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Sequence

from quintet.message import build, headers, words
from quintet.message.digest import Digest
from quintet.store.lists import MailingList

TOKEN = 20  # characters, 100 bits
TOKEN_DAYS = 4  # how long a confirmation is waited for
MAX_EXCERPT = 2000  # octets of a held post that an owner is shown

MAX_TITLE = 200  # characters

_ODD = re.compile(r"[^A-Za-z0-9.+_-]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?")
_DROPPED = frozenset(
    b"list-id list-post list-help list-subscribe list-unsubscribe list-unsubscribe-post list-owner"
    b" list-archive precedence return-path delivered-to bcc resent-bcc approved disposition-notification-to"
    b" return-receipt-to x-confirm-reading-to errors-to".split()
)
_PRIVATE = frozenset(b"return-path delivered-to bcc resent-bcc".split())  # of a post that is held whole
_OUTSIDE = frozenset(
    b"from to cc subject date message-id in-reply-to references reply-to importance keywords".split()
)  # of a post, on the message that holds it
_COMMAND = re.compile(
    r"\s*(?:re\s*:\s*)*(subscribe|join|unsubscribe|leave|help|confirm|approve|reject)\b[\s:]*([0-9A-Za-z-]*)",
    re.IGNORECASE,
)
_WORDS = {"join": "subscribe", "leave": "unsubscribe"}


def list_id(found: MailingList) -> str:
    """The list's name for programs (RFC 2919 3): "talk.example.org"."""
    return _ODD.sub("_", found.address.replace("@", "."))


def fields(found: MailingList) -> bytes:
    """What stands in front of every post, and of what the list itself says."""
    title = " ".join(_CONTROLS.sub(" ", found.title[:MAX_TITLE]).split())
    if title.isascii() and "=?" not in title:
        phrase = f'"{_quoted(title)}" '.encode() if title else b""
    else:
        phrase = words.encode_words(title, phrase=True).replace(b" ", b"\r\n ") + b"\r\n "
    post = "NO" if found.post == "owners" else f"<{mailto(found.address)}>"
    rest = [
        ("List-Post", post),
        ("List-Help", f"<{mailto(found.role('request'))}?subject=help>"),
        ("List-Subscribe", f"<{mailto(found.role('subscribe'))}>"),
        ("List-Unsubscribe", f"<{mailto(found.role('unsubscribe'))}>"),
        ("List-Owner", f"<{mailto(found.role('owner'))}>"),
        ("Precedence", "list"),
    ]
    named = b"List-Id: %b<%b>\r\n" % (phrase, list_id(found).encode())
    return named + "".join(f"{name}: {value}\r\n" for name, value in rest).encode()


def mailto(address: str) -> str:
    """RFC 6068 2: the address with what a URI cannot hold in percent signs."""
    from urllib.parse import quote

    return "mailto:" + quote(address, safe="@!$'*+-._~")


def post_header(block: bytes, found: MailingList, rewrite: str = "no") -> bytes:
    """A post's header block, without its blank line, as members get it.

    ``rewrite`` "munge" puts the list into From, "wrap" makes a header to stand before the post as it came.
    """
    kept: list[bytes] = []
    author, said = b"", {name for name, _ in _all(block)}
    for name, field in _all(block):
        if name in _DROPPED or (name == b"reply-to" and found.reply_to):
            continue
        if rewrite == "wrap" and name not in _OUTSIDE:
            continue
        if name == b"from" and rewrite != "no":
            author = field.partition(b":")[2]
            field = _in_our_name(author, found)
        elif name == b"subject" and found.tag:
            field = _tagged(field, found.tag)
        kept.append(field)
    reply = b""
    if found.reply_to:
        reply = b"Reply-To: <%b>\r\n" % found.address.encode()
    elif author and b"reply-to" not in said:
        reply = _ended(b"Reply-To:" + author)  # the author hears of answers, as before
    if author and found.reply_to:  # else nobody could answer the author alone
        kept = _copied(kept, author)
    return b"".join([fields(found), reply, *kept])


def wrapped(block: bytes, body: bytes, found: MailingList) -> bytes:
    """A message of the list that holds a post as it came: its signatures hold."""
    parts = [field for name, field in _all(block) if name not in _PRIVATE]
    eight_bit = not (block.isascii() and body.isascii())
    outer = (
        b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Disposition: inline\r\n"
        b"Content-Transfer-Encoding: %b\r\n\r\n" % (b"8bit" if eight_bit else b"7bit")
    )
    return b"".join([post_header(block, found, "wrap"), outer, *parts, b"\r\n", body])


def _all(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Fields of a header block: name in lower case, and the whole field."""
    for match in _FIELD.finditer(block):
        yield match[1].lower(), match[0]


def _in_our_name(raw: bytes, found: MailingList) -> bytes:
    """From as a list writes it: who wrote, by way of what."""
    named = headers.mailboxes(words.unfold(raw))
    who = words.decode_words(named[0].name or named[0].mailbox) if named else ""
    title = " ".join(_CONTROLS.sub(" ", found.title[:MAX_TITLE]).split()) or found.address.partition("@")[0]
    name = " ".join(_CONTROLS.sub(" ", f"{who[:MAX_TITLE]} via {title}" if who else title).split())
    phrase = f'"{_quoted(name)}"'.encode() if name.isascii() and "=?" not in name else b""
    phrase = phrase or words.encode_words(name, phrase=True).replace(b" ", b"\r\n ")
    return b"From: %b\r\n <%b>\r\n" % (phrase, found.address.encode())


def _copied(kept: Sequence[bytes], author: bytes) -> list[bytes]:
    """With the author in Cc."""
    fields_ = list(kept)
    for number, field in enumerate(fields_):
        if field.partition(b":")[0].strip().lower() == b"cc":
            fields_[number] = _ended(field.rstrip(b"\r\n") + b",\r\n " + author.strip())
            return fields_
    return [*fields_, _ended(b"Cc:" + author)]


def _ended(field: bytes) -> bytes:
    return field if field.endswith(b"\n") else field + b"\r\n"


def _tagged(field: bytes, tag: str) -> bytes:
    text = words.decode_words(words.unfold(field.partition(b":")[2]).strip())
    return field if f"[{tag}]" in text else build.header("Subject", f"[{tag}] {text}")


def automatic(digest: Digest) -> bool:
    """Was written by a program: no post, and no command (RFC 3834 2)."""
    said = (digest.header(b"auto-submitted") or b"no").strip().lower()
    bulk = (digest.header(b"precedence") or b"").strip().lower()
    return not said.startswith(b"no") or bulk in (b"bulk", b"junk", b"auto_reply")


def looped(digest: Digest, found: MailingList) -> bool:
    """Came from this very list."""
    name = f"<{list_id(found)}>".encode().lower()
    return any(name in value.lower() for value in digest.all(b"list-id"))


def author(digest: Digest) -> str:
    """The address of who wrote it, "" when there is none."""
    named = headers.mailboxes(digest.header(b"from") or b"")
    return named[0].spec if named else ""


def command(digest: Digest, body: bytes) -> tuple[str, str]:
    """The word and the token of a message to the list's request address; ("", "") for none.

    The subject counts, else the first line of the body that is not empty.
    """
    lines = [words.decode_words(digest.header(b"subject") or b"")]
    lines += [line.decode("utf-8", "replace") for line in body[:1000].split(b"\r\n") if line.strip()][:1]
    for line in lines:
        found = _COMMAND.match(line)
        if found is not None:
            word = found[1].lower()
            return _WORDS.get(word, word), found[2].upper()
    return "", ""


def token(secret: bytes, *parts: str) -> str:
    """A proof that we wrote those parts."""
    text = "\0".join(part.lower() for part in parts).encode("utf-8", "surrogatepass")
    return base64.b32encode(hmac.digest(secret, text, "sha256")).decode()[:TOKEN]


def confirmed(secret: bytes, found: MailingList, address: str, said: str, day: int) -> str:
    """What a token confirms for an address: "subscribe", "unsubscribe", or "" for nothing."""
    for action in ("subscribe", "unsubscribe"):
        for then in range(day, day - TOKEN_DAYS - 1, -1):
            meant = token(secret, action, str(found.id), address, str(then))
            if hmac.compare_digest(said.encode("utf-8", "replace"), meant.encode()):
                return action
    return ""


def notice(
    found: MailingList,
    to: Sequence[str],
    subject: str,
    text: str,
    *,
    date: int,
    message_id: str,
    reply_to: str = "",
    in_reply_to: str = "",
) -> bytes:
    """A message of the list itself; never answered by a program (RFC 3834 5)."""
    top = [
        ("From", f"<{found.role('request')}>"),
        ("To", ", ".join(f"<{each}>" for each in to)),
        ("Subject", subject),
        ("Date", headers.format_date(date)),
        ("Message-ID", message_id),
        ("Auto-Submitted", "auto-replied"),
    ]
    if reply_to:
        top.append(("Reply-To", f"<{reply_to}>"))
    if in_reply_to:
        top += [("In-Reply-To", in_reply_to), ("References", in_reply_to)]
    return fields(found) + build.compose(top, text)


def failed(body: bytes) -> list[str] | None:
    """Addresses that a report says have failed for good (RFC 3464 2.3); None when it says nothing of it."""
    if not re.search(rb"^Action:", body, re.IGNORECASE | re.MULTILINE):
        return None
    found = []
    for group in re.split(rb"\r?\n\r?\n", body):
        action = re.search(rb"^Action:[ \t]*failed", group, re.IGNORECASE | re.MULTILINE)
        address = re.search(
            rb"^(?:Original|Final)-Recipient:[^;\r\n]*;[ \t]*<?([^\s<>]+)",
            group,
            re.IGNORECASE | re.MULTILINE,
        )
        if action and address:
            found.append(address[1].decode("utf-8", "replace"))
    return found


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
