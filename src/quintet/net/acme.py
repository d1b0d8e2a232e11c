"""Certificates from an ACME authority (RFC 8555): one account, one certificate for all names.

The certificate and its key lie in one file, replaced as a whole, so that `tls.Contexts` finds a new pair
or the old one.  Until the first is issued a self-signed one stands there, so that listeners can start.
How control is proved stands in `acme_proofs`; the protocol itself is Certbot's library, which blocks: it
runs in a thread.
"""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy import errors as jose_errors
from josepy import jwa, jwk, util

from quintet import log
from quintet.clock import Clock, SystemClock
from quintet.config.acme import Acme
from quintet.net import tls
from quintet.net.acme_proofs import Proofs, write_private

CERTIFICATE = "acme.pem"  # key and chain, in the directory of certificates
ACCOUNT = "acme-account.json"
PROOFS = "acme-proofs"
DAY_MS = 86_400_000
FIRST_RETRY_S = 600.0  # after a failure; doubles up to a day. Authorities count failures by the hour.
LAST_RETRY_S = 86400.0
PROBLEMS = (errors.Error, jose_errors.Error, requests.RequestException, OSError, ValueError, KeyError)

logger = log.get("acme")


class TlsAlpn01Response(challenges.KeyAuthorizationChallengeResponse):
    """RFC 8737; the library knows it no longer."""

    typ = "tls-alpn-01"


class TlsAlpn01(challenges.KeyAuthorizationChallenge):
    """RFC 8737."""

    typ = "tls-alpn-01"
    response_cls = TlsAlpn01Response

    def validation(self, account_key: jwk.JWK, **kwargs: Any) -> str:  # Any: the library's signature
        return self.key_authorization(account_key)


challenges.ChallengeResponse.register(TlsAlpn01Response)
challenges.Challenge.register(TlsAlpn01)


class Issuer:
    """The certificate of one configuration, in ``directory``."""

    def __init__(
        self,
        config: Acme,
        directory: Path,
        *,
        clock: Clock | None = None,
        renewed: Callable[[], object] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``renewed`` is called, on the loop, when there is a new certificate: `tls.Contexts.refresh`."""
        self.config = config
        self.proofs = Proofs(directory / PROOFS)
        self.path = directory / CERTIFICATE
        self._directory = directory
        self._clock = clock or SystemClock()
        self._renewed = renewed
        self._sleep = sleep

    def prepare(self) -> Path:
        """The certificate file; a self-signed one is put there if there is none.  Raises OSError."""
        tls.write_self_signed(self.path, self.config.names)
        return self.path

    def due(self) -> bool:
        """Whether a certificate has to be fetched: none, self-signed, for other names, or near its end."""
        try:
            certificate = x509.load_pem_x509_certificate(self.path.read_bytes())
        except (OSError, ValueError):
            return True
        if certificate.issuer == certificate.subject:
            return True
        if not {name.lower() for name in self.config.names} <= set(tls.certificate_names(certificate)):
            return True
        end, begin = (
            int(moment.timestamp() * 1000)
            for moment in (certificate.not_valid_after_utc, certificate.not_valid_before_utc)
        )
        spare = min(self.config.renew_days * DAY_MS, (end - begin) / 3)
        return self._clock.now() >= end - spare

    async def run(self) -> None:
        """Fetches and renews for as long as the server runs; ends only by being cancelled."""
        failures = 0
        while True:
            if await self.renew():
                failures = 0
                await self._sleep(self.config.check_s)
            else:
                await self._sleep(min(FIRST_RETRY_S * 2 ** min(failures, 16), LAST_RETRY_S))
                failures += 1

    async def renew(self, *, force: bool = False) -> bool:
        """Fetches a certificate if one is due; False (and a line in the log) when that failed."""
        if not self.config.names or not self.config.agree or not (force or self.due()):
            return True
        try:
            await asyncio.to_thread(self.issue)
        except PROBLEMS as problem:
            logger.warning("certificate not issued", names=list(self.config.names), text=explain(problem))
            return False
        logger.info("certificate issued", names=list(self.config.names))
        if self._renewed is not None:
            self._renewed()
        return True

    def issue(self) -> None:
        """Orders a certificate, proves control of every name, writes the file; blocks for seconds.

        Raises one of PROBLEMS; the old certificate then stays.
        """
        deadline = _later(self.config.timeout_s)
        authority = self._log_in()
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name.lower()) for name in self.config.names]
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([]))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        try:
            order = authority.new_order(request.public_bytes(serialization.Encoding.PEM))
            for authorization in order.authorizations:
                if authorization.body.status != messages.STATUS_VALID:
                    self._prove(authority, authorization)
            chain = authority.poll_and_finalize(order, deadline).fullchain_pem
        finally:
            self.proofs.clear()
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        x509.load_pem_x509_certificates(chain.encode())  # never replace a good file by something else
        write_private(self.path, secret + chain.encode())

    def _prove(self, authority: client.ClientV2, authorization: messages.AuthorizationResource) -> None:
        wanted = self.config.challenge
        for offered in authorization.body.challenges:
            if offered.chall.typ != wanted:
                continue
            response, answer = offered.response_and_validation(authority.net.key)
            if wanted == "http-01":
                self.proofs.put_http(offered.chall.encode("token"), answer)
            else:
                self.proofs.put_alpn(authorization.body.identifier.value, answer)
            authority.answer_challenge(offered, response)
            return
        raise ValueError(f"the authority does not offer {wanted} for {authorization.body.identifier.value}")

    def _log_in(self) -> client.ClientV2:
        """A client with our account, made at the authority when we have none there."""
        path = self._directory / ACCOUNT
        try:
            saved = json.loads(path.read_bytes())
        except FileNotFoundError:
            saved = {}
        key = _read_key(saved["key"]) if saved else _new_key()
        network = client.ClientNetwork(
            key, alg=jwa.ES256, user_agent="quintet", timeout=int(self.config.timeout_s)
        )
        if self.config.ca_file:
            network.verify_ssl = self.config.ca_file  # type: ignore[assignment] # requests takes a path too
        authority = client.ClientV2(
            client.ClientV2.get_directory(self.config.directory, network), net=network
        )
        if saved.get("directory") == self.config.directory:
            network.account = messages.RegistrationResource(
                body=messages.Registration(), uri=saved["account"]
            )
            return authority
        uri = self._register(authority, key)
        account = {"key": key.to_json(), "account": uri, "directory": self.config.directory}
        write_private(path, json.dumps(account).encode())
        return authority

    def _register(self, authority: client.ClientV2, key: jwk.JWK) -> str:
        """Makes the account, or finds it by its key; its URL."""
        config = self.config
        binding = None
        if config.eab_kid:
            binding = messages.ExternalAccountBinding.from_data(
                key.public_key(), config.eab_kid, config.eab_key, authority.directory
            )
        registration = messages.NewRegistration.from_data(
            email=config.email or None, terms_of_service_agreed=True, external_account_binding=binding
        )
        try:
            return str(authority.new_account(registration).uri)
        except errors.ConflictError as there:
            authority.net.account = messages.RegistrationResource(
                body=messages.Registration(), uri=there.location
            )
            return str(there.location)


def _read_key(saved: dict[str, str]) -> jwk.JWK:
    key = jwk.JWKEC.from_json(saved)
    if not isinstance(key, jwk.JWK):
        raise ValueError("no key in the account file")  # noqa: TRY004 - one of PROBLEMS
    return key


def _new_key() -> jwk.JWK:
    return jwk.JWKEC(key=util.ComparableECKey(ec.generate_private_key(ec.SECP256R1())))


def _later(seconds: float) -> datetime.datetime:
    return datetime.datetime.now() + datetime.timedelta(seconds=seconds)  # noqa: DTZ005 - as the library compares it


def explain(problem: BaseException) -> str:
    """What an administrator reads: for a failed proof also what the authority saw."""
    if isinstance(problem, errors.ValidationError):
        seen = [
            str(offered.error)
            for authorization in problem.failed_authzrs
            for offered in authorization.body.challenges
            if offered.error is not None
        ]
        return "; ".join(seen)
    return f"{type(problem).__name__}: {problem}"
