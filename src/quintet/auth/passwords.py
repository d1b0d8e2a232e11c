"""Secrets at rest: making what is stored, and checking a secret against it, in a few threads.

New account passwords become argon2id (RFC 9106; 19 MiB, two passes, one lane: OWASP's minimum) and SCRAM
verifiers.  App passwords are random, so a fast hash is enough for them.  What other systems stored
is understood too (see `foreign`).

What is stored is as strong as its weakest row.  A SCRAM verifier is PBKDF2, and 10,000 rounds (2 ms)
are a tenth of argon2id's time and need no memory; ``scram = []`` in the configuration leaves argon2id alone.

Measured on two 2.6 GHz cores: argon2id 22 ms in one thread, 80 a second in two; both SCRAM verifiers
4 ms together.  `quick_rows` is for loading thousands of accounts at once: verifiers only, a
password is then checked against them, and the first login adds the argon2id row.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import argon2

from quintet.auth import foreign, saslprep, scram
from quintet.config.auth import Auth
from quintet.errors import Reason, Refused, TryLater
from quintet.values import dataclass

T = TypeVar("T")

PASSWORD = "password"  # kind of a credential: the password, as argon2id or as imported
APP = "app"  # kind: a random password for some protocols
SCRAM_KINDS = {"SCRAM-SHA-256": "scram-sha-256", "SCRAM-SHA-1": "scram-sha-1"}
APOP = "apop"  # kind: the secret itself, readable
NT = "nt"  # kind: the NT hash, hexadecimal; see `ntlm`
CERTIFICATE = "certificate"  # kind: SHA-256 of a client certificate, hexadecimal

APP_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 letters; nothing that looks like another
MAX_APP_PASSWORDS = 64  # of one account; each is tried at a login with a wrong password
APP_LENGTH = 20  # letters, 5 bits each: 100 bits


Salts = dict[str, tuple[bytes, int]]  # salt and rounds by kind


@dataclass(frozen=True, slots=True)
class Row:
    """One credential to be stored."""

    kind: str
    secret: str


def prepare(secret: str) -> str:
    """The one spelling of a new secret.  Raises BadSyntax, Refused(BAD_NAME) for an empty one."""
    prepared = saslprep.prepare(secret)
    if not prepared:
        raise Refused(Reason.BAD_NAME, "a password cannot be empty")
    return prepared


def _argon2(config: Auth) -> argon2.PasswordHasher:
    return argon2.PasswordHasher(
        time_cost=config.argon2_time, memory_cost=config.argon2_memory, parallelism=config.argon2_lanes
    )


def hash_secret(secret: str, config: Auth | None = None, shared: Salts | None = None) -> list[Row]:
    """Every row of a new account password; blocks for some 30 ms.

    ``shared`` are salt and rounds, by kind, that the account's app passwords have already.
    Raises as `prepare`.
    """
    config = config or Auth()
    prepared = prepare(secret)
    rows = [Row(PASSWORD, _argon2(config).hash(prepared)), *scram_rows(prepared, config, shared)]
    return rows + weak_rows(prepared, config)


def quick_rows(secret: str, config: Auth | None = None) -> list[Row]:
    """The rows that are cheap to make; the argon2id row comes with the first login.

    Blocks for some 5 ms.  Where no verifiers are configured it does the whole work.
    """
    config = config or Auth()
    rows = scram_rows(prepare(secret), config)
    if not rows:
        return hash_secret(secret, config)
    return rows + weak_rows(prepare(secret), config)


def weak_rows(prepared: str, config: Auth) -> list[Row]:
    """What old mechanisms need and only an administrator's word allows."""
    rows = [Row(APOP, prepared)] if config.apop else []
    return rows + nt_rows(prepared, config)


def nt_rows(prepared: str, config: Auth) -> list[Row]:
    """The NT hash, where NTLM is on."""
    if not config.ntlm:
        return []
    from quintet.auth import ntlm  # few turn it on

    return [Row(NT, ntlm.nt_hash(prepared))]


def scram_rows(prepared: str, config: Auth, shared: Salts | None = None) -> list[Row]:
    """The configured SCRAM verifiers of a prepared secret; ``shared`` as in `hash_secret`."""
    rows = []
    for mechanism in config.scram:
        kind = SCRAM_KINDS[mechanism]
        fresh = secrets.token_bytes(scram.SALT_SIZE), config.scram_iterations
        salt, iterations = (shared or {}).get(kind, fresh)
        rows.append(Row(kind, str(scram.make(scram.HASHES[mechanism], prepared, salt, iterations))))
    return rows


def new_app_password() -> str:
    """Random letters in groups of five; to be shown once."""
    letters = "".join(secrets.choice(APP_ALPHABET) for _ in range(APP_LENGTH))
    return "-".join(letters[i : i + 5] for i in range(0, APP_LENGTH, 5))


def hash_app_password(secret: str) -> str:
    """As stored: ``app$salt$hash``.  One BLAKE2b, because 100 random bits cannot be guessed."""
    salt = secrets.token_bytes(16)
    return f"app${salt.hex()}${_fast(secret, salt)}"


def _fast(secret: str, salt: bytes) -> str:
    return hashlib.blake2b(secret.encode(), digest_size=32, salt=salt).hexdigest()


def check_app_password(stored: str, secret: str) -> bool:
    """True if ``stored`` came from ``secret``; some microseconds."""
    words = stored.split("$")
    if len(words) != 3 or words[0] != "app":
        return False
    try:
        salt = bytes.fromhex(words[1])
        return len(salt) <= 16 and hmac.compare_digest(_fast(secret, salt).encode(), words[2].encode())
    except ValueError:
        return False


def check(stored: str, secret: str) -> bool:
    """True if a prepared ``secret`` is that of the stored password or verifier; blocks for its cost.

    False also for what is in no form we know.
    """
    verifier = scram.parse(stored)
    if verifier is not None:
        return verifier.knows(secret)
    return foreign.check(stored, secret)


def nobody(config: Auth) -> str:
    """An argon2id string that no password fits; checking against it costs what a real one costs."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    cost = f"m={config.argon2_memory},t={config.argon2_time},p={config.argon2_lanes}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


def needs_rehash(stored: str, config: Auth) -> bool:
    """True if a password was stored in another form, or with another cost, than a new one would be."""
    if not stored.startswith("$argon2id$"):
        return True
    try:
        return _argon2(config).check_needs_rehash(stored)
    except (argon2.exceptions.InvalidHashError, ValueError):
        return True


class Hasher:
    """The threads in which secrets are checked; argon2 and PBKDF2 let go of the interpreter lock."""

    def __init__(self, threads: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="secrets")
        self._room = threads + queue
        self._waiting = 0
        self._quiet: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._lock = threading.Lock()  # calls end in their threads

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """``function(*args)`` in a thread.

        Raises TryLater(BUSY) when ``queue`` calls wait already, (SHUTDOWN) after `close`, and what
        ``function`` raises.
        """
        with self._lock:
            if self._waiting >= self._room:
                raise TryLater(Reason.BUSY, "too many logins at once")
            self._waiting += 1
        try:
            call = self._pool.submit(function, *args)
        except RuntimeError:  # closed meanwhile
            self._done(None)
            raise TryLater(Reason.SHUTDOWN) from None
        call.add_done_callback(self._done)  # not `finally`: a caller that is gone leaves the thread at work
        return await asyncio.wrap_future(call)

    async def run_behind(self, function: Callable[..., T], *args: object) -> T:
        """`run` for work that nobody waits for: it begins when all that somebody waits for is done.

        Call it for one thing after the other: who comes meanwhile then finds a thread free, if there are two.
        """
        waiting = self._wait_quiet()
        while waiting is not None:
            await waiting.wait()
            waiting = self._wait_quiet()
        return await self.run(function, *args)

    def _wait_quiet(self) -> asyncio.Event | None:
        """Set when nobody waits any more; None when that is so already."""
        with self._lock:
            if not self._waiting:
                return None
            event = asyncio.Event()
            self._quiet.append((asyncio.get_running_loop(), event))
            return event

    def _done(self, call: Future[T] | None) -> None:
        with self._lock:
            self._waiting -= 1
            if self._waiting:
                return
            quiet, self._quiet = self._quiet, []
        for loop, event in quiet:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Lets running checks end, forgets waiting ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)
