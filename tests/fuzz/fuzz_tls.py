"""What other domains publish about TLS: records and policies of any bytes are values or refusals."""

import datetime
import ssl

from quintet.delivery import tlsrpt
from quintet.errors import BadSyntax
from quintet.net import chains, dane, mtasts, tls

SEEDS: list[bytes] = [
    b"",
    b"v=STSv1; id=20160831085700Z;",
    b"v=TLSRPTv1;rua=mailto:reports@example.com,https://reporting.example.com/v1/tlsrpt?x=1",
    b"v=TLSRPTv1;rua=htTps://reporting.example.com/v1/tlsrpt?x=1",
    b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n",
    b"3 1 1 " + b"ab" * 32,
    b"2 0 0 3082",
]

_NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_PEM = tls.self_signed(["mx.example.com"], now=_NOW).decode()
_CERTIFICATE = ssl.PEM_cert_to_DER_cert(_PEM[_PEM.index("-----BEGIN CERTIFICATE") :])


def target(data: bytes) -> None:
    """Only BadSyntax and Untrusted may come out; what is understood can be written and read again."""
    mtasts.record_id([data])
    for uri in tlsrpt.destinations([data]):
        if not uri.lower().startswith("https://") and not tlsrpt.mail_address(uri):
            raise AssertionError("a report for nobody")
    try:
        policy = mtasts.parse(data)
    except BadSyntax:
        pass
    else:
        if mtasts.parse(policy.text().encode()) != policy:
            raise AssertionError("another policy")
    _records(data)


def _records(data: bytes) -> None:
    records = [dane.Tlsa(data[0], data[1], data[2], data[3:])] if len(data) > 3 else []
    try:
        records.append(dane.read(data.decode("latin-1")))
    except BadSyntax:
        pass
    half = len(data) // 2
    for chain in ([_CERTIFICATE, data], [data], [_CERTIFICATE[:half] + data + _CERTIFICATE[half:]]):
        try:
            dane.verify(records, chain, ["mx.example.com"], _NOW)
        except chains.Untrusted as problem:
            if not problem.kind:
                raise AssertionError("a refusal without a word") from problem
