"""Options of the auth room: what may be offered, how secrets are kept, how guessing is slowed."""

from __future__ import annotations

from quintet.config.field import opt
from quintet.values import dataclass

MECHANISMS = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "OAUTHBEARER",
    "XOAUTH2",
    "EXTERNAL",
    "PLAIN",
    "LOGIN",
)
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-1")
SCOPES = ("smtp", "imap", "pop3", "nntp", "http", "mapi", "lmtp")


@dataclass(frozen=True, slots=True)
class Auth:
    """Logging in, for every protocol."""

    mechanisms: tuple[str, ...] = opt(
        MECHANISMS,
        "SASL mechanisms that may be offered, in the order in which they are named to clients; each appears "
        "only where it can work (tokens with keys, EXTERNAL with a client certificate, PLAIN under TLS).",
    )
    cleartext: str = opt(
        "tls",
        "Where a password may cross the wire as it is: under TLS and on loopback, or everywhere.",
        choices=("tls", "always"),
    )
    default_domain: str = opt("", "Domain added to a login name that has none.")
    anonymous: tuple[str, ...] = opt((), "Protocols that offer ANONYMOUS; reading news is what it is for.")
    anonymous_account: str = opt("anonymous", "Account whose rights an anonymous reader has.")
    masters: tuple[str, ...] = opt(
        (), "Login names that may act as any account (SASL authorization identity)."
    )
    external: str = opt(
        "off",
        "EXTERNAL: how a client certificate names an account: its subjectAltName e-mail address, or a "
        "fingerprint stored with the account.",
        choices=("off", "email", "fingerprint"),
    )
    apop: bool = opt(
        False, "Keep secrets so that APOP works: stores each new password readable; not advised."
    )
    ntlm: bool = opt(
        False,
        "Keep secrets so that NTLM works for MAPI clients: stores the NT hash of each new password, and of "
        "old ones at their next login. Who steals it needs no password; not advised where clients can do "
        "without.",
    )

    argon2_memory: int = opt(19456, "Memory one password hash takes.", unit="KiB", minimum=8, maximum=4194304)
    argon2_time: int = opt(2, "Passes of one password hash.", minimum=1, maximum=100)
    argon2_lanes: int = opt(1, "Lanes of one password hash.", minimum=1, maximum=64)
    scram: tuple[str, ...] = opt(
        SCRAM,
        "Verifiers kept beside the password hash; what is stored is only as strong as the weakest, so "
        "an installation whose clients all use TLS and PLAIN may empty this list.",
    )
    scram_iterations: int = opt(
        10_000,
        "PBKDF2 rounds of a new SCRAM verifier (RFC 7677: at least 4096).",
        minimum=4096,
        maximum=1_000_000,
    )
    hash_threads: int = opt(2, "Threads that check passwords.", minimum=1, maximum=64, reload=False)
    hash_queue: int = opt(
        1000, "Password checks that may wait before clients hear 'busy'.", minimum=1, maximum=10_000
    )
    remember_s: int = opt(
        600, "How long a verified password is known without hashing again; 0 for never.", unit="s", minimum=0
    )
    remember_max: int = opt(10_000, "Verified passwords remembered at once.", minimum=0, reload=False)

    free_failures: int = opt(
        4, "Wrong passwords an address or account has before answers get slower.", minimum=0, reload=False
    )
    max_delay_s: float = opt(
        15.0, "Longest delay for an address that keeps failing.", unit="s", minimum=0, reload=False
    )
    account_delay_s: float = opt(
        3.0,
        "Longest delay for a strange address when an account is being guessed at; addresses that logged in "
        "before are not delayed.",
        unit="s",
        minimum=0,
        reload=False,
    )
    max_waiting: int = opt(
        8, "Delayed logins of one address before it hears 'slow down'.", minimum=1, reload=False
    )

    token_keys: tuple[str, ...] = opt(
        (),
        "Keys that verify OAuth tokens: files with a PEM public key (RS256, ES256), or 'hs256:FILE' for a "
        "file with a shared secret of at least 32 bytes.",
        reload=False,
    )
    token_issuer: str = opt("", "'iss' a token must have, when not empty.")
    token_audience: str = opt("", "'aud' a token must have, when not empty.")
    token_claim: str = opt("email", "Claim of a token that names the account.")
    token_scope: str = opt("", "Word the token's 'scope' must hold, when not empty; also told to clients.")
    token_discovery: str = opt("", "OpenID configuration URL told to clients whose token failed (RFC 7628).")

    def faults(self) -> list[str]:
        """What is wrong with lists of words, as sentences that name the key; empty when all is well."""
        known = (
            ("mechanisms", self.mechanisms, (*MECHANISMS, "ANONYMOUS")),
            ("scram", self.scram, SCRAM),
            ("anonymous", self.anonymous, SCOPES),
        )
        return [
            f"auth.{key}: {word!r} is not one of {', '.join(allowed)}"
            for key, words, allowed in known
            for word in words
            if word not in allowed
        ]
