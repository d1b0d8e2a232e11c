"""URLs that give away one message, or a part of one, of an account's own folders (RFC 4467).

Signing, taking back and resolving: for IMAP's GENURLAUTH, RESETKEY and URLFETCH, and for BURL of submission
(RFC 4468).  A folder's key signs the URL up to the mechanism; a new key makes all URLs before it worthless.
Only mechanism INTERNAL, and only folders of the account that the URL names: what others share needs their own
URL.  A URL that is wrong in any way tells nobody why.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from quintet.auth.identity import Identity
from quintet.clock import Clock
from quintet.delivery import urlparts
from quintet.delivery.urlparts import Found, Piece
from quintet.errors import BadSyntax, Reason, Refused
from quintet.message import imapurl
from quintet.message.imapurl import ImapUrl
from quintet.net.seam import Body
from quintet.store import accounts, folders
from quintet.store.db import Tx
from quintet.store.model import AccountId, FolderId, FolderKind
from quintet.store.store import Store

MECHANISM = "INTERNAL"
ALGORITHM = "01"  # in front of a token: HMAC with SHA-256 (RFC 4467 2.4.1 lets us choose)
_PEOPLE = ("user", "authuser", "anonymous")  # access identifiers that no service stands behind
KEY_SIZE = 32  # bytes; RFC 4467 2.2 wants 128 bits at least


class UrlAuth:
    """One a process.

    ``canonical`` makes a login name of a user in a URL; ``submitters`` are login names of submission servers
    that may fetch "submit+" URLs of anybody by URLFETCH (RFC 4467 3), ``applications`` those of other
    services by the name that a URL calls them (RFC 5593 3.3).  ``host`` is what a URL calls this server.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        canonical: Callable[[str], str],
        submitters: Collection[str] = (),
        applications: Mapping[str, Collection[str]] | None = None,
        host: str = "",
    ) -> None:
        self._host = host.lower()
        self._store, self._clock, self._canonical = store, clock, canonical
        self._services = {
            name.lower(): frozenset(login.lower() for login in logins)
            for name, logins in {**(applications or {}), "submit": submitters}.items()
            if name.lower() not in _PEOPLE
        }

    async def sign(self, texts: Sequence[str], identity: Identity) -> list[str]:
        """The URLs with their tokens, in order.  Raises BadSyntax with the reason (RFC 4467, GENURLAUTH)."""
        wanted = []
        for text in texts:
            url = imapurl.parse(text)
            if not url.access:
                raise BadSyntax("missing access identifier in supplied URL")
            if url.access not in _PEOPLE and url.access not in self._services:
                raise BadSyntax("unknown access identifier in supplied URL")
            if url.mechanism:
                raise BadSyntax("URL is signed already")
            if not url.user:
                raise BadSyntax("missing owner username in supplied URL")
            if self._login(url.user) != identity.name.lower() or identity.mechanism == "ANONYMOUS":
                raise BadSyntax("not your URL")
            wanted.append(url)
        keys = await self._store.write(_keys, identity.account_id, [url.mailbox for url in wanted])
        return [
            f"{url.rump}:{MECHANISM.lower()}:{_token(key, url.rump)}"
            for url, key in zip(wanted, keys, strict=True)
        ]

    async def reset(self, identity: Identity, mailbox: str | None) -> None:
        """Takes back all URLs into a folder, or (None) into all.  Raises Refused(NO_SUCH_FOLDER)."""
        await self._store.write(_reset, identity.account_id, mailbox)

    async def fetch(self, text: str, identity: Identity) -> Body:
        """URLFETCH: what a URL leads to, for who logged in to IMAP.

        Raises:
            BadSyntax, Refused: whatever is wrong with it.
            TryLater(STORAGE): not now.
        """
        return (await self.look(text, identity)).body

    async def look(self, text: str, identity: Identity, *, with_part: bool = False) -> Piece:
        """As `fetch`, with what is known of it; ``with_part``: of a whole message too."""
        url = imapurl.parse(text)
        if url.access in self._services:  # whoever it is for is that service's business (RFC 5593 3.3)
            allowed = identity.name.lower() in self._services[url.access]
        else:
            allowed = self._allowed(url, identity)
        return await self._resolve(url, allowed, with_part=with_part)

    async def submitted(self, text: str, identity: Identity) -> Body:
        """BURL: what a URL leads to, for who logged in to submission (RFC 4468 3.3).

        Signed, or without URLAUTH one of this server and of the user's own folders.

        Raises:
            Refused(NO_SUCH_DOMAIN): not signed, and of another server.
            Refused(NO_PERMISSION): not signed, not for this user, taken back, expired.
            Refused(NO_SUCH_MESSAGE): right, and the message or part is not there.
            TryLater(STORAGE): not now.
        """
        try:
            url = imapurl.parse(text)
            allowed = self._allowed(url, identity)
        except BadSyntax as error:
            raise Refused(Reason.NO_PERMISSION, str(error)) from error
        return (await (self._resolve(url, allowed) if url.access else self._own(url, identity))).body

    async def _own(self, url: ImapUrl, identity: Identity) -> Piece:
        if url.host != self._host:
            raise Refused(Reason.NO_SUCH_DOMAIN)
        if url.user and self._login(url.user) != identity.name.lower():
            raise Refused(Reason.NO_PERMISSION)
        found = self._store.peek(_locate_own, url, identity.account_id)
        return await urlparts.piece(found, self._store.body(found.ref), url)

    def _login(self, user: str) -> str:
        return self._canonical(user).lower()

    def _allowed(self, url: ImapUrl, identity: Identity) -> bool:
        """Whether who logged in is who the URL is for (RFC 4467 3)."""
        if url.access == "anonymous":
            return True
        if url.access == "authuser":
            return identity.mechanism != "ANONYMOUS"
        return url.access in ("user", "submit") and self._login(url.who) == identity.name.lower()

    async def _resolve(self, url: ImapUrl, allowed: bool, *, with_part: bool = False) -> Piece:
        owner = self._login(url.user) if url.user else ""
        expired = url.expires_at is not None and url.expires_at < self._clock.now()
        if not allowed or expired or not owner or url.mechanism != MECHANISM:
            raise Refused(Reason.NO_PERMISSION)
        found = self._store.peek(_locate, url, owner, with_part)
        piece = await urlparts.piece(found, self._store.body(found.ref), url)
        if with_part and found.digest is not None and not url.section.path and not url.section.text:
            return replace(piece, part=found.digest.root)
        return piece


# --- keys -----------------------------------------------------------------------------------------------


def _token(key: bytes, rump: str) -> str:
    return ALGORITHM + hmac.new(key, rump.encode(), hashlib.sha256).hexdigest()


def _folder(tx: Tx, account_id: AccountId, mailbox: str) -> FolderId:
    found = folders.find(tx, account_id, mailbox)
    if found is None or found.kind != FolderKind.MAIL:
        raise Refused(Reason.NO_SUCH_FOLDER, "no such mailbox")
    return found.id


def _keys(tx: Tx, account_id: AccountId, mailboxes: Sequence[str]) -> list[bytes]:
    """The key of each folder, made where there is none.  Raises BadSyntax: no such folder."""
    keys = []
    for mailbox in mailboxes:
        try:
            folder_id = _folder(tx, account_id, mailbox)
        except Refused as error:
            raise BadSyntax("no such mailbox") from error
        tx.run(
            "INSERT INTO mailbox_key (folder_id, secret) VALUES (?, ?) ON CONFLICT (folder_id) DO NOTHING",
            folder_id, secrets.token_bytes(KEY_SIZE),
        )  # fmt: skip
        keys.append(bytes(tx.value("SELECT secret FROM mailbox_key WHERE folder_id = ?", folder_id)))
    return keys


def _reset(tx: Tx, account_id: AccountId, mailbox: str | None) -> None:
    if mailbox is not None:
        tx.run("DELETE FROM mailbox_key WHERE folder_id = ?", _folder(tx, account_id, mailbox))
        return
    tx.run(
        "DELETE FROM mailbox_key WHERE folder_id IN (SELECT id FROM folder WHERE account_id = ?)", account_id
    )


def _locate(tx: Tx, url: ImapUrl, owner: str, with_digest: bool) -> Found:
    """What a signed URL names.  Raises Refused(NO_PERMISSION): the token is wrong, or there is no key."""
    account = accounts.find(tx, owner)
    folder = folders.find(tx, account.id, url.mailbox) if account is not None else None
    secret = (
        tx.value("SELECT secret FROM mailbox_key WHERE folder_id = ?", folder.id)
        if folder is not None
        else None
    )
    right = _token(bytes(secret) if secret is not None else b"nobody's", url.rump)
    same = hmac.compare_digest(right.encode(), url.token.encode())
    if not same or secret is None or folder is None or account is None or account.disabled:
        raise Refused(Reason.NO_PERMISSION)
    return urlparts.locate(tx, folder, url, with_digest=with_digest)


def _locate_own(tx: Tx, url: ImapUrl, account_id: AccountId) -> Found:
    folder = folders.find(tx, account_id, url.mailbox)
    if folder is None or folder.kind != FolderKind.MAIL:
        raise Refused(Reason.NO_SUCH_MESSAGE)
    return urlparts.locate(tx, folder, url)
