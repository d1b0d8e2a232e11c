"""What we say that we can (RFC 9051 6.1.1); each word here is kept in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quintet.imap.service import House
    from quintet.imap.session import Session

ALWAYS = (
    b"IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE"  # RFC 3501, 9051, 4959, 2971, 5161
    b" LANGUAGE LOGIN-REFERRALS"  # RFC 5255, 2221
)
KNOWN = (
    b"IDLE NAMESPACE UIDPLUS UNSELECT CHILDREN MOVE BINARY"  # RFC 2177, 2342, 4315, 3691, 3348, 6851, 3516
    b" CONDSTORE QRESYNC NOTIFY"  # RFC 7162, 5465
    b" ESEARCH SEARCHRES WITHIN"  # RFC 4731, 5182, 5032
    b" LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE"  # RFC 5258, 5819, 6154
    b" STATUS=SIZE OBJECTID SAVEDATE MULTIAPPEND"  # RFC 8438, 8474, 8514, 3502
    b" MAILBOX-REFERRALS"  # RFC 2193
    b" I18NLEVEL=1 I18NLEVEL=2"  # RFC 5255 4.3, 4.4
    b" APPENDLIMIT=%d URLAUTH URLAUTH=BINARY URL-PARTIAL"  # RFC 7889, 4467, 5524, 5550
    b" CATENATE REPLACE PREVIEW UIDONLY CONVERT UIDBATCHES"  # RFC 4469, 8508, 8970, 9586, 5259
    b" ACL RIGHTS=texkn LIST-MYRIGHTS ANNOTATE-EXPERIMENT-1"  # RFC 4314, 8440, 5257
    b" SORT=MODSEQ SORT=UID"
    b" SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS"  # RFC 5256, 5957, 5267
    b" PARTIAL CONTEXT=SEARCH CONTEXT=SORT MULTISEARCH SEARCH=FUZZY"  # RFC 9394, 5267, 7377, 6203
    b" INPROGRESS FILTERS"  # RFC 9585, 5466
    b" METADATA LIST-METADATA"  # RFC 5464, 9590
    b" QUOTA QUOTASET QUOTA=RES-STORAGE QUOTA=RES-MESSAGE"  # RFC 9208
    b" QUOTA=RES-MAILBOX QUOTA=RES-ANNOTATION-STORAGE"
)
ENABLED = frozenset(
    (b"CONDSTORE", b"QRESYNC", b"IMAP4REV2", b"UTF8=ACCEPT", b"UIDONLY")
)  # what ENABLE can switch on
MAX_KINDS = 100  # of clients, by what they may be told
SPELLED = {b"IMAP4REV2": b"IMAP4rev2"}


Kind = tuple[bool, tuple[str, ...] | None, bool, bool]  # as `_words` takes them


def told(session: Session) -> bytes:
    """The words, apart by a space, that hold for this client now."""
    house, peer = session.house, session.peer
    kind: Kind = (session.compressed, None, False, False)
    if session.identity is None:
        auth = house.auth
        starttls = peer.tls is None and house.can_start_tls(peer)
        mechanisms = auth.mechanisms(peer, "imap")
        kind = (session.compressed, mechanisms, starttls, not auth.plaintext_allowed(peer))
    config, words = house.told.get(kind, (None, b""))
    if config is not house.config:
        if len(house.told) >= MAX_KINDS:
            house.told.clear()
        words = _words(house, *kind)
        house.told[kind] = house.config, words
    return words


def _words(
    house: House, compressed: bool, mechanisms: tuple[str, ...] | None, starttls: bool, disabled: bool
) -> bytes:
    """``mechanisms``: of a guest; None for who is known."""
    words = ALWAYS + b" " + KNOWN % house.config.max_message
    config = house.config  # RFC 9738 3
    told = min(config.message_limit, config.message_limit_hard or config.message_limit)
    words += b" MESSAGELIMIT=%d SAVELIMIT=%d" % (told, config.save_limit)
    words += b" LITERAL-" if house.config.literals == "minus" else b" LITERAL+"  # RFC 7888 5: never both
    words += b" UTF8=ONLY" if house.config.utf8_only else b" UTF8=ACCEPT"  # RFC 6855 6: nor these
    if house.config.unauthenticate:
        words += b" UNAUTHENTICATE"  # RFC 8437
    if house.config.xlist:
        words += b" XLIST"
    if not compressed:
        words += b" COMPRESS=DEFLATE"  # RFC 4978
    if mechanisms is None:
        return words
    if starttls:
        words += b" STARTTLS"
    if disabled:
        words += b" LOGINDISABLED"
    for mechanism in mechanisms:
        words += b" AUTH=" + mechanism.encode("ascii")
    return words
