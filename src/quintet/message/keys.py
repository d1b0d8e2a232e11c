"""Sort and thread keys of a message, computed once when it is stored (RFC 5256, RFC 5957)."""

from __future__ import annotations

import re
from typing import NamedTuple

from quintet.message import addresses, headers, words
from quintet.message.digest import Digest

MAX_SUBJECT = 4096  # characters; a longer subject is cut before it is taken apart
MAX_REFERENCES = (
    16_000  # bytes from the end that are looked at: 300 ids or so; the store keeps 20,000 characters
)

_SPACES = re.compile(r"[ \t\r\n]+")
# RFC 5256 section 5: subj-blob, subj-refwd, subj-leader, subj-trailer
_BLOB = re.compile(r"\[[^\[\]]*\][ \t]*")
_REFWD = re.compile(r"(?:re|fwd?)[ \t]*(?:\[[^\[\]]*\][ \t]*)?:", re.IGNORECASE)
_TRAILER = "(fwd)"
_FORWARD = "[fwd:"


class SortKeys(NamedTuple):  # made for each message: a frozen dataclass takes 3 us
    """What SORT, THREAD and searches by date compare."""

    sent_at: int | None  # UTC ms (RFC 5256 2.2); None: use the arrival time
    from_display: str  # first address: decoded name, else address, else "" (RFC 5957 3)
    to_display: str
    cc_display: str
    from_mailbox: str  # local part of the first address: what SORT FROM, TO, CC compare (RFC 5256 3)
    to_mailbox: str
    cc_mailbox: str
    base_subject: str  # RFC 5256 2.1; decoded, in its own case
    is_reply: bool  # the subject said Re or Fwd in some way (RFC 5256 3, REFERENCES step 5)
    message_id: str | None  # normalised, with angle brackets
    # oldest first, each once, but the last, which is the parent, also where it stood before; of In-Reply-To
    # (its first) without References
    references: tuple[str, ...]
    thread_root: str  # first reference, else the own id, else ""


def sort_keys(digest: Digest) -> SortKeys:
    """Return the keys of a message; missing fields give empty strings, never an error."""
    first: dict[bytes, bytes] = {name.lower(): value for name, value in reversed(digest.headers)}
    get = first.get
    subject, is_reply = base_subject(get(b"subject", b""))
    date = get(b"date")
    ids = headers.msg_ids(get(b"message-id", b""))
    message_id = ids[0] if ids else None
    references = _references(get(b"references", b""), get(b"in-reply-to", b""))
    from_display, from_mailbox = _first_address(get(b"from"))
    to_display, to_mailbox = _first_address(get(b"to"))
    cc_display, cc_mailbox = _first_address(get(b"cc"))
    return SortKeys(
        headers.parse_date(date) if date else None,
        from_display,
        to_display,
        cc_display,
        from_mailbox,
        to_mailbox,
        cc_mailbox,
        subject,
        is_reply,
        message_id,
        references,
        references[0] if references else message_id or "",
    )


def _first_address(raw: bytes | None) -> tuple[str, str]:
    """Return (display name or address, local part) of the first mailbox; a group's name counts as one."""
    if not raw:
        return "", ""
    if found := addresses.FAST.match(raw):
        quoted, phrase, mailbox, host = found.groups()
        # Deviates: RFC 5957 3 would sort by blanks around a name; who looks for it does not see them
        name = words.decode_words(quoted or phrase or b"").strip()
        local = mailbox.decode("ascii")
        return name or f"{local}@{host.decode('ascii')}", local
    for one in headers.parse_addresses(raw):
        if isinstance(one, headers.Group):
            # RFC 5957 3 sorts by the first address structure; of a group that is its name
            name = words.decode_words(one.name)
            return name, name
        return one.display, words.decode_bytes(one.mailbox)
    return "", ""


def _references(references: bytes, in_reply_to: bytes) -> tuple[str, ...]:
    """RFC 5256 3 (REFERENCES step 1): References, else the first id of In-Reply-To.

    Of very many the first, where the thread began, and the last.
    """
    if references and (ids := headers.msg_ids(references[-MAX_REFERENCES:])):
        if len(references) > MAX_REFERENCES:
            ids = headers.msg_ids(references[:1000])[:1] + ids
        unique = tuple(dict.fromkeys(ids))
        return unique if unique[-1] == ids[-1] else (*unique, ids[-1])
    return tuple(headers.msg_ids(in_reply_to)[:1]) if in_reply_to else ()


def base_subject(raw: bytes) -> tuple[str, bool]:
    """Return the base subject and whether it was a reply or a forward (RFC 5256 2.1, all steps)."""
    text = words.decode_words(raw)[:MAX_SUBJECT]
    if "  " in text or "\t" in text or "\n" in text or "\r" in text:
        text = _SPACES.sub(" ", text)  # step 1
    is_reply = False
    while True:
        text, trimmed = _without_trailer(text)  # step 2
        text, led = _without_leader(text)  # steps 3 to 5
        is_reply = is_reply or trimmed or led
        if not (text[:5].lower() == _FORWARD and text.endswith("]")):
            return text, is_reply
        text = text[5:-1]  # step 6
        is_reply = True


def _without_trailer(text: str) -> tuple[str, bool]:
    """Step 2: white space and ``(fwd)`` at the end, as often as they come."""
    seen = False
    text = text.rstrip(" \t")
    while text[-5:].lower() == _TRAILER:
        text = text[:-5].rstrip(" \t")
        seen = True
    return text, seen


def _without_leader(text: str) -> tuple[str, bool]:
    """Steps 3 to 5: ``Re:``, ``[list] Fwd[2]:`` and ``[blob]``s that leave something behind.

    Each blob is looked at once, so that a subject full of them stays linear.
    """
    at = 0
    seen = False
    while True:
        while text[at : at + 1] in (" ", "\t"):  # no other space: RFC 5256 2.1 has us do exactly this
            at += 1
        last = end = at
        while blob := _BLOB.match(text, end):
            last, end = end, blob.end()
        if leader := _REFWD.match(text, end):
            at = leader.end()
            seen = True
        else:
            return text[end if end < len(text) else last :], seen
