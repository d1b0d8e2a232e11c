"""Reports about TLS as their receivers read them: who wants them, the JSON, the letter around it.

Pure.  Counting is `delivery.tlstally`'s, sending `delivery.tlsreporter`'s.  RFC 8460 3 (record), 4.4 (JSON),
5.1 to 5.3 (file name, compression, letter).
"""

from __future__ import annotations

import base64
import datetime
import gzip
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from quintet.message import build, headers
from quintet.net import chains
from quintet.values import dataclass

DAY_S = 86_400
MAX_RECORD = 4096  # bytes of a TXT record
MAX_URIS = 4  # of a record that are tried
MAX_URI = 500  # characters

_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e \t]+)")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports."""

    organization: str
    contact: str  # address
    hostname: str

    @property
    def submitter(self) -> str:
        """RFC 8460 5.3: the domain of the contact."""
        return self.contact.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Report:
    """One domain's report about one day."""

    domain: str
    day: int  # since 1970, UTC
    id: str
    filename: str
    packed: bytes  # JSON, gzip


def destinations(records: Sequence[bytes]) -> tuple[str, ...]:
    """Where a domain wants its reports: usable URIs of _smtp._tls.DOMAIN; () when it wants none (3)."""
    mine = [each for each in records if re.match(rb"v=TLSRPTv1[ \t]*;", each)]
    if len(mine) != 1 or len(mine[0]) > MAX_RECORD or not mine[0].isascii():
        return ()
    fields = mine[0].decode("ascii").split(";")
    rua: str | None = None
    for at, each in enumerate(fields[1:], 1):
        each = each.strip(" \t")
        if not each and at == len(fields) - 1:
            break  # one delimiter may stand at the end
        match = _FIELD.fullmatch(each)
        if match is None:
            return ()
        if match[1] == "rua" and rua is None:
            rua = match[2]
    uris = [each.strip(" \t") for each in (rua or "").split(",")]
    return tuple(each for each in uris if mail_address(each) or _is_https(each))[:MAX_URIS]


def mail_address(uri: str) -> str:
    """The address of a mailto URI; "" where it is none that we send to.  Its header fields do not count."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto" or len(uri) > MAX_URI:
        return ""
    local, at, domain = unquote(rest.partition("?")[0]).rpartition("@")
    fits = at and len(local) <= 64 and _LOCAL.fullmatch(local) and "." in domain and chains.is_name(domain)
    return f"{local}@{domain.lower()}" if fits else ""


def _is_https(uri: str) -> bool:
    if len(uri) > MAX_URI or not re.fullmatch(r"[\x21-\x7e]+", uri):
        return False
    try:
        found = urlsplit(uri)
        host, _ = found.hostname or "", found.port
    except ValueError:
        return False
    return found.scheme == "https" and "@" not in found.netloc and "." in host and chains.is_name(host)


def report(
    domain: str, day: int, details: Sequence[tuple[str, int]], reporter: Reporter, token: str
) -> Report:
    """Makes a report of what was counted (`tlstally` details and sessions); ``token`` is random."""
    begin = day * DAY_S
    ident = f"{day}.{token}"
    found = {
        "organization-name": reporter.organization,
        "date-range": {"start-datetime": _stamp(begin), "end-datetime": _stamp(begin + DAY_S - 1)},
        "contact-info": reporter.contact,
        "report-id": ident,
        "policies": _policies(details),
    }
    name = f"{reporter.submitter}!{domain}!{begin}!{begin + DAY_S - 1}!{token}.json.gz"
    packed = gzip.compress(json.dumps(found, ensure_ascii=False).encode(), mtime=0)
    return Report(domain, day, ident, name, packed)


def _stamp(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _policies(details: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:  # Any: JSON
    """RFC 8460 4.4: one entry a policy that was applied, with its failures."""
    found: dict[str, dict[str, Any]] = {}
    for text, sessions in details:
        each = json.loads(text)
        lines, mx = each["lines"], each["mx"]
        entry = found.setdefault(
            json.dumps([each["type"], each["domain"], lines, mx]),
            {
                "policy": {
                    "policy-type": each["type"],
                    **({"policy-string": lines} if lines else {}),
                    "policy-domain": each["domain"],
                    **({"mx-host": mx} if mx else {}),
                },
                "summary": {"total-successful-session-count": 0, "total-failure-session-count": 0},
                "failure-details": [],
            },
        )
        if "kind" not in each:
            entry["summary"]["total-successful-session-count"] += sessions
            continue
        entry["summary"]["total-failure-session-count"] += sessions
        entry["failure-details"].append(_failure(each, sessions))
    return list(found.values())


def _failure(each: dict[str, Any], sessions: int) -> dict[str, Any]:
    told = {
        "result-type": each["kind"],
        "sending-mta-ip": each["sending"],
        "receiving-mx-hostname": each["host"],
        "receiving-ip": each["receiving"],
        "failed-session-count": sessions,
        "failure-reason-code": each["reason"],
    }
    return {key: value for key, value in told.items() if value != ""}


def letter(found: Report, reporter: Reporter, to: str, now: int, token: str) -> bytes:
    """The report as a message (RFC 8460 5.3), CRLF line ends.

    It carries TLS-Required: No, because it must come through whatever it tells of (RFC 8460 3, RFC 8689 3).
    Deviates: RFC 8460 3 wants a DKIM signature; who signs is not this module's to say.
    """
    boundary = f"=_{token}"
    about = f"Report Domain: {found.domain} Submitter: {reporter.submitter}"
    fields = [
        ("From", f"<{reporter.contact}>"),
        ("To", f"<{to}>"),
        ("Subject", f"{about} Report-ID: <{found.id}@{reporter.submitter}>"),
        ("Date", headers.format_date(now)),
        ("Message-ID", f"<{token}@{reporter.hostname}>"),
        ("TLS-Report-Domain", found.domain),
        ("TLS-Report-Submitter", reporter.submitter),
        ("TLS-Required", "No"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
    ]
    begin = _stamp(found.day * DAY_S)[:10]
    text = f"This is a report about TLS with the mail hosts of {found.domain} on {begin} (UTC).\r\n"
    parts = [
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text.encode(),
        b"Content-Type: application/tlsrpt+gzip\r\n"
        b"Content-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment;\r\n filename="%b"\r\n\r\n'
        % found.filename.encode()
        + base64.encodebytes(found.packed).replace(b"\n", b"\r\n"),
    ]
    mark = b"--" + boundary.encode()
    return b"".join(
        (
            *(build.header(name, value) for name, value in fields),
            b'Content-Type: multipart/report; report-type="tlsrpt";\r\n boundary="%b"\r\n\r\n'
            % boundary.encode(),
            *(mark + b"\r\n" + part + b"\r\n" for part in parts),
            mark + b"--\r\n",
        )
    )
