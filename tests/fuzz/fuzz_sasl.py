"""SASL machines on hostile bytes: an outcome or BadSyntax, nothing else, and nobody gets in by nonsense.

Run by ``python -m tools.fuzz sasl``, or alone: ``python tests/fuzz/fuzz_sasl.py --seconds 60``.
"""

# ruff: noqa: E501  (a message reads best in one piece)

from __future__ import annotations

import base64
import contextlib
import sys
from pathlib import Path

if __name__ == "__main__":  # run as a file: the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from quintet.auth import client, dialogue, foreign, oauth, sasl, scram
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.errors import BadSyntax, Problem, Refused

SEEDS = [
    b"\0tim\0tanstaaftanstaaf",
    b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO\nc=biws,r=rOprNGfwEbeRWgbNEkqOXYZ,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    b"p=tls-server-end-point,a=x=2Cy,n=user,r=abc,ext=1\nc=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsZW5kIHBvaW50,r=abcXYZ,p=AAAA",
    b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01",
    b"user=someuser@example.com\x01auth=Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA\x01\x01",
    b"r=abcXYZ,s=QSXCR+Q6sek8bf92,i=4096\nv=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    b"$6$rounds=1000$salt$aaaa\n$pbkdf2-sha256$1$AAAA$AAAA",
    b"{SSHA}TnmaN9qqnoBFXQC2+RJ979DH5KhzYWx0\nscram-sha1$1$AAAA$AAAA$AAAA",
    base64.b64encode(b"\0tim\0tanstaaf"),
]

_VERIFIERS = {name: scram.pretend(name, "user", bytes(32), 1) for name in ("sha256", "sha1")}
_KEYS = oauth.Keys(Auth(), FrozenClock())
_KEYS.add("HS256", b"k" * 32)


def _machines() -> list[sasl.Machine]:
    scrams = [
        scram.Server(mechanism, "XYZ", end_point=b"end point", plus_offered=mechanism.endswith("-PLUS"))
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1")
    ]
    tokens = [oauth.Server("OAUTHBEARER"), oauth.Server("XOAUTH2")]
    return [sasl.Plain(), sasl.Login(), sasl.External(), sasl.Anonymous(), *scrams, *tokens]


def _drive(machine: sasl.Machine, responses: list[bytes]) -> None:
    for response in responses:
        try:
            outcome = machine.step(response)
        except BadSyntax:
            return
        assert not isinstance(outcome, sasl.Proved)  # no proof fits a pretended verifier
        if isinstance(outcome, sasl.FindVerifiers):
            assert isinstance(machine, scram.Server)
            machine.found([_VERIFIERS[machine.algorithm]])
        elif isinstance(outcome, sasl.CheckToken):
            with contextlib.suppress(Refused):
                raise AssertionError(_KEYS.account(outcome.token))
            return
        elif not isinstance(outcome, sasl.Challenge):
            return


def target(data: bytes) -> None:
    """One input: responses, one a line."""
    responses = data.split(b"\n")
    for machine in _machines():
        _drive(machine, responses)
    for side in (client.Scram("SCRAM-SHA-1", "user", "pencil", "abc"), client.Login("a", "b")):
        side.first()
        for challenge in responses:
            if b"i=" in challenge and not challenge.endswith(b"i=4096"):
                continue  # many rounds only make the search slow
            with contextlib.suppress(BadSyntax, Refused):
                side.answer(challenge)
        assert not isinstance(side, client.Scram) or not side.complete
    with contextlib.suppress(Problem):
        assert len(dialogue.decode(data)) <= sasl.MAX_RESPONSE
    text = responses[0].decode("latin-1")
    foreign.understood(text)
    if "$" not in text:  # the others cost what they were stored with
        foreign.check(text, "tea")
    verifier = scram.parse(text)
    assert verifier is None or scram.parse(str(verifier)) == verifier


if __name__ == "__main__":
    import argparse

    from tools import fuzz

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    try:
        fuzz.run_guided("sasl", seconds)
    except ImportError:  # no atheris: random mutations
        tried = fuzz.run_random("sasl", seconds)
        print(f"fuzz sasl: {abs(tried)} inputs, {'a finding' if tried < 0 else 'clean'}")
        sys.exit(tried < 0)
