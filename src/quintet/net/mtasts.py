"""MTA-STS policies: the name service record, the policy's text, fetching it by HTTPS.

What is kept and when it is asked for is `delivery.stsstore`'s.  RFC 8461 3.1 (record), 3.2 (policy), 3.3
(fetching), 4.1 (patterns of hosts).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from quintet.errors import BadSyntax, Reason, TryLater
from quintet.net import chains, https
from quintet.net.https import Https
from quintet.values import dataclass

MAX_POLICY = 64 * 1024  # bytes. RFC 8461 3.3
MAX_AGE_S = 31_557_600  # RFC 8461 3.2
MAX_MX = 500  # patterns; more of them have no sense
MAX_RECORD = 4096  # bytes of a TXT record
PATH = "/.well-known/mta-sts.txt"

# RFC 8460 4.3.2.2
FETCH_ERROR = "sts-policy-fetch-error"
INVALID = "sts-policy-invalid"
WEBPKI = "sts-webpki-invalid"

MODES = ("enforce", "testing", "none")

_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_AGE = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """RFC 8461 3.2."""

    mode: str  # of `MODES`
    max_age_s: int
    mx: tuple[str, ...]  # patterns, lower case; () only where ``mode`` is "none"

    def allows(self, host: str) -> bool:
        """Whether a mail exchanger may be used (RFC 8461 4.1)."""
        return any(chains.covers(pattern, host) for pattern in self.mx)

    def lines(self) -> list[str]:
        """As it stands in a policy file, and in reports (RFC 8460 4.5)."""
        return [
            "version: STSv1",
            f"mode: {self.mode}",
            *(f"mx: {each}" for each in self.mx),
            f"max_age: {self.max_age_s}",
        ]

    def text(self) -> str:
        """The policy file."""
        return "\r\n".join(self.lines()) + "\r\n"


class FetchFailed(TryLater):
    """No policy could be had; ``kind`` is RFC 8460's word."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(Reason.POLICY, text)
        self.kind = kind


def record_id(records: Sequence[bytes]) -> str | None:
    """The id in the TXT records of _mta-sts.DOMAIN; None: the domain has no policy to be found (3.1)."""
    mine = [each for each in records if re.match(rb"v=STSv1[ \t]*;", each)]
    if len(mine) != 1 or len(mine[0]) > MAX_RECORD:
        return None
    try:
        fields = mine[0].decode("ascii").split(";")
    except UnicodeDecodeError:
        return None
    found: str | None = None
    for at, each in enumerate(fields[1:], 1):
        each = each.strip(" \t")
        if not each and at == len(fields) - 1:
            break  # one delimiter may stand at the end
        match = _FIELD.fullmatch(each)
        if match is None:
            return None
        if match[1] == "id" and found is None:
            if not _ID.fullmatch(match[2]):
                return None
            found = match[2]
    return found


def parse(raw: bytes) -> StsPolicy:
    """Reads a policy file (RFC 8461 3.2).

    Fields we do not know are passed over, repeated ones too, but for mx.

    Raises:
        BadSyntax: something is missing, or is not what it should be.
    """
    if len(raw) > MAX_POLICY:
        raise BadSyntax("policy too long")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadSyntax("policy is not UTF-8") from None
    fields: dict[str, str] = {}
    mx: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip(" \t"):
            continue
        key, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _KEY.fullmatch(key) or not value or any(ord(each) < 32 for each in value):
            raise BadSyntax(f"no field of a policy: {line[:60]!r}")
        if key == "mx":
            if not chains.is_name(value.removeprefix("*.")):
                raise BadSyntax(f"no host pattern: {value[:60]!r}")
            mx.append(value.lower())
        else:
            fields.setdefault(key, value)
    return _judged(fields, tuple(dict.fromkeys(mx)))


def _judged(fields: dict[str, str], mx: tuple[str, ...]) -> StsPolicy:
    if fields.get("version") != "STSv1":
        raise BadSyntax("policy of no version we know")
    mode = fields.get("mode", "")
    if mode not in MODES:
        raise BadSyntax(f"policy with mode {mode[:20]!r}")
    age = fields.get("max_age", "")
    if not _AGE.fullmatch(age):
        raise BadSyntax("policy without max_age")
    if (not mx and mode != "none") or len(mx) > MAX_MX:
        raise BadSyntax("policy without mx" if not mx else "policy with too many mx")
    return StsPolicy(mode, min(int(age), MAX_AGE_S), mx)


class Fetcher:
    """Fetches policy files.  ``port`` is for tests: the standard knows no other than 443."""

    def __init__(self, https: Https, *, timeout_s: float = 60.0, port: int = 443) -> None:
        self._https, self._timeout_s, self._port = https, timeout_s, port

    async def fetch(self, domain: str) -> bytes:
        """The bytes of a domain's policy file (RFC 8461 3.3): no redirects, no caching, a proved server.

        Raises:
            FetchFailed: there is none, or its server did not prove itself.
        """
        host = f"mta-sts.{domain}"
        try:
            answer = await self._https.ask(
                f"https://{host}{f':{self._port}' if self._port != 443 else ''}{PATH}",
                timeout_s=self._timeout_s,
                max_bytes=MAX_POLICY,
                headers={"Accept": "text/plain"},
            )
        except https.NotProved as error:
            raise FetchFailed(WEBPKI, f"{host}: {error.text}") from error
        except https.TooLong as error:
            raise FetchFailed(INVALID, f"{host}: {error.text}") from error
        except TryLater as error:
            raise FetchFailed(FETCH_ERROR, f"{host}: {error.text}") from error
        if answer.status != 200:
            raise FetchFailed(FETCH_ERROR, f"{host} answers {answer.status}")
        if answer.type != "text/plain":
            raise FetchFailed(INVALID, f"{host} shows {answer.type[:60]}, not text/plain")
        return answer.body
