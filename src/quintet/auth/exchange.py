"""One SASL exchange of one connection: runs a machine, and does what it asks for.

A protocol calls `Exchange.step` with each response until it gets an identity; see `auth.dialogue`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from quintet.auth import oauth, passwords, sasl, saslprep, scram, vault
from quintet.auth.identity import Identity
from quintet.errors import BadSyntax, Problem, Reason
from quintet.net.seam import Peer

if TYPE_CHECKING:
    from quintet.auth.service import AuthService


class Exchange:
    """See the module; made by `AuthService.exchange`."""

    __slots__ = (
        "_auth",
        "_found",
        "_machine",
        "_named",
        "_over",
        "_peer",
        "_rows",
        "_steps",
        "mechanism",
        "scope",
    )

    def __init__(
        self,
        auth: AuthService,
        mechanism: str,
        peer: Peer,
        scope: str,
        named: Callable[[str], str] | None = None,
    ) -> None:
        self.mechanism = mechanism
        self.scope = scope
        self._auth = auth
        self._peer = peer
        self._named = named or str
        self._machine = _machine(auth, mechanism, peer, scope)
        self._found: vault.Found | None = None
        self._rows: list[vault.Secret] = []
        self._over: Problem | None = None
        self._steps = 0

    @property
    def settled(self) -> bool:
        """The client has proved itself, and what was given last is our last data: only its nod is missing."""
        return self._over is None and isinstance(self._machine, scram.Server) and self._machine.settled

    async def step(self, response: bytes | None) -> bytes | Identity:
        """Takes a response (None: the command carried none) and gives a challenge or the identity.

        Challenges are raw, the protocol makes base64 of them.  The last data of a server (SCRAM's proof of
        itself, the reason a token was refused) comes as a challenge, and the client's answer ends it.

        Raises:
            Refused(AUTH_FAILED, ACCOUNT_DISABLED, AUTH_EXPIRED, AUTH_OTHER)
            TryLater(THROTTLED, BUSY)
            BadSyntax: not a message of the mechanism, or too long.
        """
        if self._over is not None:
            raise self._over
        if response is None:
            if self._steps:
                raise BadSyntax("a response is missing")
            return self._machine.opening
        self._steps += 1
        if len(response) > sasl.MAX_RESPONSE:
            raise self._end(BadSyntax("SASL response too long", Reason.TOO_LONG))
        if self._steps > sasl.MAX_STEPS:
            raise self._end(BadSyntax("too many SASL responses", Reason.TOO_MANY))
        try:
            return await self._answer(self._machine.step(response))
        except Problem as problem:
            self._end(problem)
            raise

    def _end(self, problem: Problem) -> Problem:
        self._over = problem
        return problem

    async def _answer(self, outcome: sasl.Outcome) -> bytes | Identity:
        named = self._named
        match outcome:
            case sasl.Challenge(data):
                return data
            case sasl.CheckPassword(name, secret, authzid):
                name, authzid = named(name), named(authzid)
                return await self._auth.password(
                    name, secret, self._peer, self.scope, mechanism=self.mechanism, authzid=authzid
                )
            case sasl.FindVerifiers(name):
                return await self._find_verifiers(named(name))
            case sasl.Proved(_, authzid, index):
                assert self._found is not None
                return self._entered(self._found, self._rows[index], named(authzid))
            case sasl.Failed(name, data, guess):
                return self._failed(named(name), data, guess=guess)
            case sasl.CheckToken(token, authzid):
                return await self._check_token(token, named(authzid))
            case sasl.CheckCertificate(authzid):
                return await self._check_certificate(named(authzid))
            case sasl.EnterAnonymously(trace):
                return self._enter_anonymously(trace)

    def _entered(self, found: vault.Found, used: vault.Secret | None, authzid: str) -> Identity:
        return self._auth.entered(
            found, used, self._peer, self.scope, mechanism=self.mechanism, authzid=authzid
        )

    def _failed(self, name: str, data: bytes, *, guess: bool) -> bytes:
        """Counts it now; the client hears it after its answer to ``data``, or at once without."""
        login = self._auth.canonical(name)
        refusal = self._auth.gate.failed(self._peer, login, self.scope, self.mechanism, guess=guess)
        self._over = refusal
        if not data:
            raise refusal
        return data

    async def _find_verifiers(self, name: str) -> bytes:
        assert isinstance(self._machine, scram.Server)
        auth = self._auth
        login = auth.canonical(name)
        await auth.gate.hold(self._peer, login, self.scope)
        algorithm = self._machine.algorithm
        self._found, self._rows = auth.verifiers(login, algorithm, self.scope)
        verifiers = [verifier for row in self._rows if (verifier := scram.parse(row.stored)) is not None]
        if not verifiers:
            verifiers = [scram.pretend(algorithm, login, auth.key, auth.config.scram_iterations)]
        return self._machine.found(verifiers).data

    async def _check_token(self, token: str, authzid: str) -> bytes | Identity:
        assert isinstance(self._machine, oauth.Server)
        auth = self._auth
        await auth.gate.hold(self._peer, auth.canonical(authzid), self.scope)
        try:
            found = auth.token_owner(token, authzid)
        except Problem:
            config = auth.config
            failed = self._machine.refuse(authzid, config.token_scope, config.token_discovery)
            return self._failed(failed.name, failed.data, guess=True)
        return self._entered(found, None, "")

    async def _check_certificate(self, authzid: str) -> Identity:
        auth = self._auth
        certificate = self._peer.tls.peer_certificate if self._peer.tls else b""
        login = auth.canonical(authzid)
        await auth.gate.hold(self._peer, login, self.scope)
        if auth.config.external == "fingerprint":
            found = auth.store.peek(vault.lookup, login) if authzid else None
            for row in found.of_kind(passwords.CERTIFICATE) if found else ():
                if found and row.serves(self.scope) and row.stored == fingerprint(certificate):
                    return self._entered(found, row, "")
        else:
            for address in certificate_addresses(certificate):
                local, _, domain = address.rpartition("@")
                found = auth.store.peek(vault.lookup, auth.canonical(address)) or auth.store.peek(
                    vault.lookup_address, local, domain
                )
                if found is not None:
                    return self._entered(found, None, authzid)
        raise auth.gate.failed(self._peer, login, self.scope, self.mechanism)

    def _enter_anonymously(self, trace: str) -> Identity:
        auth = self._auth
        found = auth.store.peek(vault.lookup, auth.config.anonymous_account.lower())
        if found is None:
            raise auth.gate.failed(self._peer, "anonymous", self.scope, self.mechanism, guess=False)
        self._peer.notes["anonymous"] = trace
        return self._entered(found, None, "")


def _machine(auth: AuthService, mechanism: str, peer: Peer, scope: str) -> sasl.Machine:
    if mechanism.startswith("SCRAM-"):
        end_point = peer.tls.server_end_point if peer.tls else b""
        plus = f"{mechanism.removesuffix('-PLUS')}-PLUS" in auth.mechanisms(peer, scope)
        return scram.Server(mechanism, auth.clock.token(18), end_point=end_point, plus_offered=plus)
    if mechanism in ("OAUTHBEARER", "XOAUTH2"):
        return oauth.Server(mechanism)
    simple: dict[str, type[sasl.Machine]] = {
        "PLAIN": sasl.Plain,
        "LOGIN": sasl.Login,
        "EXTERNAL": sasl.External,
        "ANONYMOUS": sasl.Anonymous,
    }
    return simple[mechanism]()


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a DER certificate in lower-case hexadecimal: the secret of a "certificate" credential."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate)
    return digest.finalize().hex()


def certificate_addresses(certificate: bytes) -> list[str]:
    """The e-mail addresses in the subjectAltName of a verified DER certificate (RFC 5280 4.2.1.6)."""
    try:
        names = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        found = names.value.get_values_for_type(x509.RFC822Name)
        return [saslprep.prepare(address) for address in found if "@" in address]
    except (ValueError, x509.ExtensionNotFound, BadSyntax):
        return []
