"""OAuth bearer tokens: OAUTHBEARER (RFC 7628), XOAUTH2 (Google's older form), and JWTs by configured keys.

The machines are pure.  `Keys` verifies signature, issuer, audience, scope and times of a token and
tells the account it names; it fetches nothing, so keys are files of the administrator.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jwt
from jwt.types import Options

from quintet.auth import saslprep
from quintet.auth.sasl import CheckToken, Failed, Outcome
from quintet.clock import Clock
from quintet.config.auth import Auth
from quintet.errors import BadSyntax, Reason, Refused

LEEWAY_S = 60  # seconds by which the clocks of issuer and server may differ
MIN_SHARED_SECRET = 32  # bytes, RFC 7518 3.2: as long as the hash

# RFC 7628 3.1: gs2-header kvsep *kvpair kvsep; a kvpair ends with kvsep
_BEARER = re.compile(
    r"(?:n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>[^,\x01]*))?,\x01(?P<pairs>.*)\x01", re.DOTALL
)
_XOAUTH2 = re.compile(r"user=(?P<user>[^\x01]*)\x01auth=(?P<auth>[^\x01]*)\x01\x01")
# claims are checked here, times among them by our clock
SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
NOT_A_TOKEN = (jwt.PyJWTError, ValueError, TypeError, RecursionError)  # the last: JSON nested by thousands
_TOKEN = re.compile(r"[Bb]earer +(?P<token>[A-Za-z0-9._~+/-]+=*)")


class Server:
    """One exchange of either mechanism; `refuse` says why the token was not taken."""

    opening = b""

    def __init__(self, mechanism: str) -> None:
        self._read = _read_xoauth2 if mechanism == "XOAUTH2" else _read_bearer

    def step(self, response: bytes) -> Outcome:
        try:
            text = response.decode()
        except UnicodeDecodeError:
            raise BadSyntax("not UTF-8") from None
        return self._read(text)

    def refuse(self, name: str, scope: str, discovery: str) -> Failed:
        """The error a client gets as one more challenge (RFC 7628 3.2.2)."""
        error = {"status": "invalid_token", "scope": scope, "openid-configuration": discovery}
        return Failed(name, json.dumps({key: value for key, value in error.items() if value}).encode())


def _read_bearer(text: str) -> Outcome:
    message = _BEARER.fullmatch(text)
    if message is None:
        raise BadSyntax("not an OAUTHBEARER message")
    pairs = dict(pair.partition("=")[::2] for pair in message["pairs"].split("\x01") if pair)
    authzid = (message["authzid"] or "").replace("=2C", ",").replace("=3D", "=")
    return CheckToken(_token(pairs.get("auth", "")), saslprep.prepare(authzid))


def _read_xoauth2(text: str) -> Outcome:
    message = _XOAUTH2.fullmatch(text)
    if message is None:
        raise BadSyntax("not an XOAUTH2 message")
    return CheckToken(_token(message["auth"]), saslprep.prepare(message["user"]))


def _token(header: str) -> str:
    found = _TOKEN.fullmatch(header.strip())
    return found["token"] if found else ""  # an empty token is refused with the error that tells the scope


class Keys:
    """The configured keys; ``load`` reads their files once.

    A PEM file holds a public key (RSA: RS256, P-256: ES256), a ``.json`` file a JWK set, and
    ``hs256:FILE`` a shared secret.  A key is only used with the one algorithm that fits it.
    """

    def __init__(self, config: Auth, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._keys: list[tuple[str, Any]] = []  # algorithm, and a key as PyJWT takes it (several types)

    @classmethod
    def load(cls, config: Auth, clock: Clock) -> Keys:
        """Raises OSError for a file that cannot be read, ValueError for one that holds no such key."""
        keys = cls(config, clock)
        for name in config.token_keys:
            for algorithm, key in _read_keys(name):
                keys.add(algorithm, key)
        return keys

    def add(self, algorithm: str, key: Any) -> None:  # Any: bytes, or a key of cryptography
        self._keys.append((algorithm, key))

    def __bool__(self) -> bool:
        return bool(self._keys)

    def account(self, token: str) -> str:
        """The account name that a good token gives; some 100 us, without waiting.

        Raises:
            Refused(AUTH_FAILED): no key of ours signed it, or it is for somebody or something else.
            Refused(AUTH_EXPIRED): its time is over.
        """
        claims = self._claims(token)
        self._check_times(claims)
        config = self._config
        if config.token_issuer and claims.get("iss") != config.token_issuer:
            raise Refused(Reason.AUTH_FAILED, "token of another issuer")
        if config.token_audience and config.token_audience not in _words(claims.get("aud")):
            raise Refused(Reason.AUTH_FAILED, "token for another service")
        if config.token_scope and config.token_scope not in _words(claims.get("scope", claims.get("scp"))):
            raise Refused(Reason.AUTH_FAILED, "token without our scope")
        name = claims.get(config.token_claim)
        if not isinstance(name, str) or not name or claims.get("email_verified") is False:
            raise Refused(Reason.AUTH_FAILED, "token names no account")
        return name

    def _claims(self, token: str) -> dict[str, Any]:  # Any: JSON
        try:
            algorithm = jwt.get_unverified_header(token).get("alg")
        except NOT_A_TOKEN:
            raise Refused(Reason.AUTH_FAILED, "not a token") from None
        for known, key in self._keys:
            if known != algorithm:
                continue
            try:
                return jwt.decode(token, key, algorithms=[known], options=SIGNATURE_ONLY)
            except NOT_A_TOKEN:
                continue  # another key may have signed it
        raise Refused(Reason.AUTH_FAILED, "token not signed by a key of ours")

    def _check_times(self, claims: dict[str, Any]) -> None:  # Any: JSON
        now = self._clock.now() / 1000
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(expires, (int, float)) or not isinstance(begins, (int, float)):
            raise Refused(Reason.AUTH_FAILED, "token without an end")
        if expires + LEEWAY_S <= now:
            raise Refused(Reason.AUTH_EXPIRED)
        if begins - LEEWAY_S > now:
            raise Refused(Reason.AUTH_FAILED, "token not valid yet")


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _read_keys(name: str) -> list[tuple[str, Any]]:  # Any: see `Keys.add`
    if name.startswith("hs256:"):
        secret = Path(name.removeprefix("hs256:")).read_bytes().strip()
        if len(secret) < MIN_SHARED_SECRET:
            raise ValueError(f"{name}: a shared secret needs at least {MIN_SHARED_SECRET} bytes")
        return [("HS256", secret)]
    data = Path(name).read_bytes()
    if name.endswith(".json"):
        keys = jwt.PyJWKSet.from_json(data.decode()).keys
        return [(key.algorithm_name, key.key) for key in keys if key.algorithm_name in ("RS256", "ES256")]
    for algorithm in ("RS256", "ES256"):
        try:
            return [(algorithm, jwt.get_algorithm_by_name(algorithm).prepare_key(data))]
        except (jwt.PyJWTError, TypeError, ValueError):
            continue
    raise ValueError(f"{name}: holds no RSA or P-256 public key")
