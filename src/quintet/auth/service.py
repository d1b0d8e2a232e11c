"""The door of the auth room: passwords and SASL exchanges become identities.

Holds what all connections of a process share: configuration, hashing threads, remembered secrets, the
throttle, token keys.  Which words a client hears is its protocol's business; mechanisms are `auth.sasl`,
their steps `auth.exchange`.  A refusal never tells whether the name exists: an unknown name costs the
same hash as a wrong password.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from quintet import log
from quintet.auth import exchange, gate, keyfile, oauth, passwords, remember, saslprep, scram, upkeep, vault
from quintet.auth.identity import Identity
from quintet.clock import Clock, SystemClock
from quintet.config.auth import Auth
from quintet.errors import Problem, Reason, Refused
from quintet.net.seam import Peer
from quintet.store.model import Account
from quintet.store.store import Store

if TYPE_CHECKING:
    from quintet.auth import ntlm

Exchange = exchange.Exchange
__all__ = ["AuthService", "Exchange", "Identity"]

CLEARTEXT = frozenset(("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"))  # the secret itself crosses the wire

logger = log.get("auth")


class AuthService:
    """See the module.

    ``key`` (32 bytes) makes the salts of unknown names.  Workers must share it, so by default it is
    a file of the store's directory, made at the first start.  ``run`` is the folder in which they count
    failed logins together; without it each process counts alone.
    Raises ValueError and OSError for a configuration that cannot work (words, token keys, that file).
    """

    def __init__(
        self,
        store: Store,
        config: Auth,
        *,
        clock: Clock | None = None,
        key: bytes = b"",
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        run: Path | None = None,
    ) -> None:
        if faults := config.faults():
            raise ValueError("; ".join(faults))
        self.config = config
        self.clock = clock or SystemClock()
        self.store = store
        self.key = key or keyfile.load(store.data / "auth.key")
        self.tokens = oauth.Keys.load(config, self.clock)
        self.gate = gate.Gate(config, self.clock, sleep, run=run, key=self.key[:64])
        self._hasher = passwords.Hasher(config.hash_threads, config.hash_queue)
        self._memory = remember.Memory(config.remember_max)
        self._upkeep = upkeep.Upkeep(store, self._hasher, self.clock)
        self._nobody = passwords.nobody(config)
        self._offers: dict[tuple[bool, bool, bool, bool, str], tuple[str, ...]] = {}

    async def close(self) -> None:
        """Ends background work: notes of last use, better hashes."""
        await self._upkeep.close()
        self._hasher.close()

    async def settle(self) -> None:
        """Waits for background work that was begun: for tests, and before a store is closed."""
        await self._upkeep.settle()

    def forget(self, name: str) -> None:
        """Forgives the failed logins of an address, a network or a login name."""
        self.gate.forget(name)

    def reload(self, config: Auth) -> None:
        """Takes a changed configuration; options marked as needing a restart keep their effect.

        Raises ValueError, and keeps the old one, for words it cannot know.
        """
        if faults := config.faults():
            raise ValueError("; ".join(faults))
        self.config = config
        self._offers.clear()

    # what may be offered

    def plaintext_allowed(self, peer: Peer) -> bool:
        """Whether a secret may cross this connection readable."""
        return peer.tls is not None or peer.loopback or self.config.cleartext == "always"

    def mechanisms(self, peer: Peer, scope: str) -> tuple[str, ...]:
        """SASL mechanisms that can work for this peer now, in the configured order."""
        certificate = peer.tls is not None and bool(peer.tls.peer_certificate)
        binding = peer.tls is not None and bool(peer.tls.server_end_point)
        key = (peer.secure, binding, certificate, self.plaintext_allowed(peer), scope)
        offer = self._offers.get(key)
        if offer is None:
            cleartext = self.plaintext_allowed(peer)
            possible = self._possible(peer, scope)
            offer = tuple(name for name in possible if cleartext or name not in CLEARTEXT)
            self._offers[key] = offer
        return offer

    def _possible(self, peer: Peer, scope: str) -> list[str]:
        """What could be offered if cleartext were no matter."""
        config = self.config
        certificate = peer.tls is not None and bool(peer.tls.peer_certificate)
        binding = peer.tls is not None and bool(peer.tls.server_end_point)
        works = {
            "PLAIN": True,
            "LOGIN": True,
            "SCRAM-SHA-256": "SCRAM-SHA-256" in config.scram,
            "SCRAM-SHA-1": "SCRAM-SHA-1" in config.scram,
            "SCRAM-SHA-256-PLUS": binding and "SCRAM-SHA-256" in config.scram,
            "SCRAM-SHA-1-PLUS": binding and "SCRAM-SHA-1" in config.scram,
            "OAUTHBEARER": bool(self.tokens),
            "XOAUTH2": bool(self.tokens),
            "EXTERNAL": certificate and config.external != "off",
            "ANONYMOUS": scope in config.anonymous,
        }
        return [name for name in dict.fromkeys((*config.mechanisms, "ANONYMOUS")) if works.get(name, False)]

    def exchange(
        self, mechanism: str, peer: Peer, scope: str, *, named: Callable[[str], str] | None = None
    ) -> Exchange:
        """Begins a SASL exchange; ``mechanism`` in any case.

        ``named`` is given each name that the client says ("" too) and gives the account's: for a protocol
        whose login names say more than that, as POP3's say a folder.

        Raises:
            Refused(AUTH_WEAK): it would work under TLS.
            Refused(AUTH_MECHANISM): it is unknown, or not offered here.
        """
        name = mechanism.upper()
        if name in self.mechanisms(peer, scope):
            return exchange.Exchange(self, name, peer, scope, named)
        if name in CLEARTEXT and name in self._possible(peer, scope):
            raise Refused(Reason.AUTH_WEAK, "use TLS first")
        raise Refused(Reason.AUTH_MECHANISM)

    # passwords

    def remembered(self, name: str, secret: str, peer: Peer, scope: str) -> Identity | None:
        """The identity at once if this name and password were right minutes ago, else None.

        Never waits; some 10 us.  `password` asks it by itself: call it only to stay out of a coroutine.
        """
        if not self.plaintext_allowed(peer):
            return None
        key, entry = self._memory.find(name, secret, self.clock.monotonic())
        if entry is None or (entry.scopes and scope not in entry.scopes):
            return None
        state = self.store.ask(vault.unchanged, entry.credential_id, entry.stored)
        if state is None or state[0] or 0 < state[1] <= self.clock.now():
            self._memory.drop(key)
            return None
        if entry.address != peer.address:
            entry.address = peer.address
            self.gate.known(peer.address, entry.account)
        identity = Identity(entry.account_id, entry.account, "PLAIN", scope, entry.app)
        gate.count(scope, "ok")
        logger.debug("login remembered", conn=peer.id, account=entry.account, scope=scope)
        return identity

    def vouched(self, peer: Peer, scope: str) -> Identity:
        """Who the system says is at the other end (`Peer.user`): nothing is asked of them.

        Raises:
            BadSyntax: a name that can be nobody's.
            Refused(NO_SUCH_ACCOUNT, ACCOUNT_DISABLED).
        """
        login = self.canonical(peer.user)
        found = self.store.peek(vault.lookup, login)
        if found is None:
            raise Refused(Reason.NO_SUCH_ACCOUNT, f"there is no account {login}")
        if found.account.disabled:
            raise Refused(Reason.ACCOUNT_DISABLED)
        identity = Identity(found.account.id, found.account.name, "EXTERNAL", scope)
        self.gate.entered(peer, login, identity)
        return identity

    async def password(
        self, name: str, secret: str, peer: Peer, scope: str, *, mechanism: str = "PLAIN", authzid: str = ""
    ) -> Identity:
        """Who ``name`` is, if ``secret`` is their password or an app password for ``scope``.

        Raises:
            Refused(AUTH_FAILED): the name or the password is wrong, whichever.
            Refused(ACCOUNT_DISABLED, AUTH_EXPIRED, AUTH_OTHER): only told to who knows the password.
            Refused(AUTH_WEAK): not readable over this connection.
            TryLater(THROTTLED, BUSY): too many wait already.
            BadSyntax: characters that no name or password has (RFC 4013).
        """
        if authzid == name:
            authzid = ""
        if not authzid:
            identity = self.remembered(name, secret, peer, scope)
            if identity is not None:
                return identity
        if not self.plaintext_allowed(peer):
            raise Refused(Reason.AUTH_WEAK, "use TLS first")
        login, prepared = self.canonical(name), saslprep.prepare(secret)
        if not prepared:
            raise Refused(Reason.AUTH_FAILED)
        await self.gate.hold(peer, login, scope)
        found = self.store.peek(vault.lookup, login)
        match = await self._match(found, prepared, scope)
        if found is None or match is None:
            raise self.gate.failed(peer, login, scope, mechanism, secret=prepared)
        if match.kind in (passwords.PASSWORD, *passwords.SCRAM_KINDS.values()):
            self._upkeep.improve(found, match, prepared, self.config)
        identity = self.entered(found, match, peer, scope, mechanism=mechanism, authzid=authzid)
        if not authzid:
            self._remember(name, secret, match, identity, peer)
        return identity

    async def apop(self, name: str, digest: str, banner: str, peer: Peer) -> Identity:
        """``name``, if ``digest`` is the MD5 of ``banner`` and their password in hexadecimal (RFC 1939 7).

        Raises as `password`; AUTH_MECHANISM where APOP is not configured.
        """
        if not self.config.apop:
            raise Refused(Reason.AUTH_MECHANISM)
        login = self.canonical(name)
        await self.gate.hold(peer, login, "pop3")
        found = self.store.peek(vault.lookup, login)
        for row in found.of_kind(passwords.APOP) if found else ():
            right = hashlib.md5((banner + row.stored).encode(), usedforsecurity=False).hexdigest()
            given = digest.lower().encode("utf-8", "replace")
            if found and row.serves("pop3") and hmac.compare_digest(right.encode(), given):
                return self.entered(found, row, peer, "pop3", mechanism="APOP")
        raise self.gate.failed(peer, login, "pop3", "APOP")

    async def bearer(self, token: str, peer: Peer, scope: str) -> Identity:
        """Whom a token names (RFC 6750), without an exchange around it.

        Raises Refused(AUTH_FAILED, AUTH_EXPIRED, AUTH_WEAK, ACCOUNT_DISABLED), TryLater(THROTTLED).
        """
        if not self.plaintext_allowed(peer):
            raise Refused(Reason.AUTH_WEAK, "use TLS first")
        await self.gate.hold(peer, "", scope)
        try:
            found = self.token_owner(token)
        except Problem as problem:
            raise self.gate.failed(peer, "", scope, "BEARER") from problem
        return self.entered(found, None, peer, scope, mechanism="BEARER")

    def token_owner(self, token: str, authzid: str = "") -> vault.Found:
        """The account of a good token, which must be ``authzid``'s if that is given.

        Raises Refused(AUTH_FAILED, AUTH_EXPIRED).
        """
        name = self.canonical(self.tokens.account(token))
        found = self.store.peek(vault.lookup, name)
        if found is None or (authzid and self.canonical(authzid) != name):
            raise Refused(Reason.AUTH_FAILED)
        return found

    async def nt_response(self, proof: ntlm.Proof, peer: Peer, scope: str) -> Identity:
        """Who a client of NTLM is, if it knows a password whose NT hash is kept.

        Raises Refused(AUTH_FAILED, ACCOUNT_DISABLED, AUTH_EXPIRED), TryLater(THROTTLED), BadSyntax.
        """
        login = self.canonical(proof.login)
        await self.gate.hold(peer, login, scope)
        found = self.store.peek(vault.lookup, login)
        if found is not None and self.config.ntlm:
            for row in found.of_kind(passwords.NT):
                if row.serves(scope) and proof.proves(row.stored):
                    return self.entered(found, row, peer, scope, mechanism="NTLM")
        raise self.gate.failed(peer, login, scope, "NTLM")

    async def _match(self, found: vault.Found | None, secret: str, scope: str) -> vault.Secret | None:
        """The credential that ``secret`` opens; a failure has cost one argon2 check, for any name."""
        if found is not None:
            for row in found.of_kind(passwords.APP):
                if row.serves(scope) and passwords.check_app_password(row.stored, secret):
                    return row
            own = [row for row in found.of_kind(passwords.PASSWORD) if not row.name]
            if not own:  # loaded in bulk, or imported from a system that had verifiers only
                own = [
                    row
                    for kind in passwords.SCRAM_KINDS.values()
                    for row in found.of_kind(kind)
                    if not row.name
                ]
            for row in own[:1]:
                if await self._hasher.run(passwords.check, row.stored, secret):
                    return row
                if row.kind == passwords.PASSWORD:
                    return None
        await self._hasher.run(passwords.check, self._nobody, secret)
        return None

    # what exchanges need as well

    def canonical(self, name: str) -> str:
        """A login name as accounts have it.  Raises BadSyntax for what can be none."""
        login = saslprep.prepare(name).strip().lower()
        if login and self.config.default_domain and "@" not in login:
            login += "@" + self.config.default_domain.lower()
        return login

    def verifiers(
        self, login: str, algorithm: str, scope: str
    ) -> tuple[vault.Found | None, list[vault.Secret]]:
        """The account and its SCRAM rows of one hash that share salt and rounds; none for unknown names."""
        found = self.store.peek(vault.lookup, login)
        if found is None:
            return None, []
        kind = {"sha256": "scram-sha-256", "sha1": "scram-sha-1"}[algorithm]
        rows = [
            row for row in found.of_kind(kind) if row.serves(scope) and scram.parse(row.stored) is not None
        ]
        rows.sort(key=lambda row: (bool(row.name), row.id))
        shared = [row for row in rows if _salting(row.stored) == _salting(rows[0].stored)]
        return found, shared

    def entered(
        self,
        found: vault.Found,
        used: vault.Secret | None,
        peer: Peer,
        scope: str,
        *,
        mechanism: str,
        authzid: str = "",
    ) -> Identity:
        """The identity of who proved to be ``found`` by ``used``; counts and logs.

        Raises:
            Refused(ACCOUNT_DISABLED, AUTH_EXPIRED)
            Refused(AUTH_OTHER): may not act as ``authzid``, whether that is anybody or not.
        """
        account = found.account
        try:
            if account.disabled:
                raise Refused(Reason.ACCOUNT_DISABLED)
            if used is not None and 0 < used.expires_at <= self.clock.now():
                raise Refused(Reason.AUTH_EXPIRED)
            acting = self._acting(account, authzid)
        except Problem as problem:
            self.gate.refused(peer, account.name, scope, problem.reason)
            raise
        self._upkeep.touch(used)
        identity = Identity(
            acting.id,
            acting.name,
            mechanism,
            scope,
            used.name if used else "",
            account.name if acting is not account else "",
        )
        self.gate.entered(peer, account.name.lower(), identity)
        return identity

    def _acting(self, account: Account, authzid: str) -> Account:
        """The account that ``account`` may act as when it asks for ``authzid`` (RFC 4422 3.4.1)."""
        if not authzid or self.canonical(authzid) == account.name.lower():
            return account
        if account.name.lower() in (name.lower() for name in self.config.masters):
            other = self.store.peek(vault.lookup, self.canonical(authzid))
            if other is not None and not other.account.disabled:
                return other.account
        raise Refused(Reason.AUTH_OTHER)

    def _remember(self, name: str, secret: str, match: vault.Secret, identity: Identity, peer: Peer) -> None:
        if self.config.remember_s == 0:
            return
        now = self.clock.monotonic()
        key, _ = self._memory.find(name, secret, now)
        entry = remember.Remembered(
            identity.account_id,
            identity.name,
            match.id,
            match.stored,
            match.scopes,
            match.name,
            now + self.config.remember_s,
            peer.address,
        )
        self._memory.keep(key, entry)


def _salting(stored: str) -> tuple[int, bytes]:
    verifier = scram.parse(stored)
    return (0, b"") if verifier is None else (verifier.iterations, verifier.salt)
