"""Whatever a client sends, only an answer or a problem of the families comes out; what we write, we read."""

import asyncio
import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.auth import client, dialogue, foreign, passwords, sasl, saslprep, scram, throttle, vault
from quintet.auth.identity import Identity
from quintet.auth.service import AuthService
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.errors import BadSyntax, Problem, Refused
from quintet.net.seam import Peer, TlsInfo
from quintet.store.model import Account, AccountId, Modseq

CONFIG = Auth(
    argon2_memory=8, argon2_time=1, scram_iterations=4096, remember_s=0, anonymous=("nntp",), external="email"
)
SECRET = "tea"
ROWS = [vault.Secret(i, row.kind, "", row.secret, frozenset(), 0, 0) for i, row in
        enumerate(passwords.hash_secret(SECRET, CONFIG))]  # fmt: skip
ALICE = Account(AccountId(1), "alice", "person", "", Modseq(1), 0, 0, 0, 0, "", False, 0, bytes(16))
MECHANISMS = [
    "PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS",
    "OAUTHBEARER", "XOAUTH2", "EXTERNAL", "ANONYMOUS",
]  # fmt: skip
PIECES = [
    b"n,,", b"y,,", b"p=tls-server-end-point,,", b"n=alice", b",r=", b"abc", b",m=x", b"c=biws",
    b",p=", b"AAAA", b"a=", b"\0alice\0tea", b"alice", b"tea", b"\x01auth=Bearer ", b"\x01\x01",
    b"user=alice", b"eyJhbGciOiJIUzI1NiJ9.", b"[" * 3000, b"\xff", "\u0627".encode(), b"=2C", b"=", b"",
]  # fmt: skip
responses = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))


class OneAccount:
    """As much of a store as an exchange reads."""

    def peek(self, function: Any, *args: Any) -> Any:
        if function is vault.lookup:
            return vault.Found(ALICE, tuple(ROWS)) if args[0] == "alice" else None
        return None

    async def write(self, function: Any, *args: Any) -> Any:
        return None


def service() -> AuthService:
    async def sleep(delay_s: float) -> None:
        return None

    auth = AuthService(OneAccount(), CONFIG, clock=FrozenClock(), key=bytes(32), sleep=sleep)  # type: ignore[arg-type]
    auth.tokens.add("HS256", b"k" * 32)
    return auth


def somebody() -> Peer:
    return Peer("c", "192.0.2.1", tls=TlsInfo("TLSv1.3", "x", 128, "", b"certificate", b"end point"))


@pytest.mark.parametrize("mechanism", MECHANISMS)
@given(script=st.lists(st.one_of(st.none(), responses), min_size=1, max_size=6))
def test_any_responses_give_answers_or_problems(mechanism: str, script: list[bytes | None]) -> None:
    async def run() -> None:
        auth = service()
        exchange = auth.exchange(mechanism, somebody(), "nntp")
        for response in script:
            try:
                answer = await exchange.step(response)
            except Problem:
                continue  # it stays over, whatever comes
            assert isinstance(answer, (bytes, Identity))
            if isinstance(answer, Identity):
                assert answer.name == "alice"
                break
        await auth.close()

    asyncio.run(run())


@given(name=st.text(min_size=1, max_size=20), secret=st.text(min_size=1, max_size=20), wrong=st.booleans())
def test_scram_agrees_about_any_name_and_secret(name: str, secret: str, wrong: bool) -> None:
    try:
        prepared, login = saslprep.prepare(secret), saslprep.prepare(name)
    except BadSyntax:
        return
    if not prepared or not login:
        return
    machine = client.Scram("SCRAM-SHA-1", name, secret, "abc")
    server = scram.Server("SCRAM-SHA-1", "XYZ", end_point=b"", plus_offered=False)
    assert server.step(machine.first() or b"") == sasl.FindVerifiers(saslprep.prepare(login))
    verifier = scram.make("sha1", prepared + "x" * wrong, b"salt", 4096)
    assert scram.parse(str(verifier)) == verifier
    outcome = server.step(machine.answer(server.found([verifier]).data))
    if wrong:
        assert outcome == sasl.Failed(saslprep.prepare(login), b"e=invalid-proof", guess=True)
    else:
        assert isinstance(outcome, sasl.Challenge)
        assert server.step(machine.answer(outcome.data)) == sasl.Proved(saslprep.prepare(login), "", 0)


@given(first=responses, then=responses)
def test_client_survives_any_server(first: bytes, then: bytes) -> None:
    for machine in (
        client.Scram("SCRAM-SHA-256", "a", "b", "abc"),
        client.Login("a", "b"),
        client.Plain("a", "b"),
    ):
        machine.first()
        for challenge in (first, then):
            with contextlib.suppress(BadSyntax, Refused):
                machine.answer(challenge)
        assert not (isinstance(machine, client.Scram) and machine.complete)


@given(st.binary(max_size=300))
def test_dialogue_decodes_what_it_encodes_and_refuses_the_rest(data: bytes) -> None:
    assert dialogue.decode(dialogue.encode(data)) == data
    with contextlib.suppress(BadSyntax, Refused):
        assert base64.b64encode(dialogue.decode(data)) == data or data.endswith(b"=")


@given(st.text(max_size=30))
def test_saslprep_is_stable_or_refuses(text: str) -> None:
    try:
        once = saslprep.prepare(text)
    except BadSyntax:
        return
    with contextlib.suppress(BadSyntax):  # an unassigned letter may become a known one, that is then checked
        assert saslprep.prepare(once) == once


@given(
    st.text(max_size=60),
    st.sampled_from(["", "$6$", "{SSHA}", "$argon2id$v=19$", "pbkdf2_sha256$1$", "app$", "scram-sha1$1$"]),
)
def test_any_stored_text_is_checked_without_surprise(text: str, prefix: str) -> None:
    assert passwords.check(prefix + text, "tea") in (True, False)
    assert not passwords.check_app_password(prefix + text, "tea")
    assert foreign.understood(prefix + text) in (True, False)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fail", "ok", "wait"]),
            st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "127.0.0.1", "memory", "junk"]),
            st.sampled_from(["alice", "bob"]),
            st.text(max_size=2),
        ),
        max_size=60,
    )
)
def test_delays_stay_in_their_bounds_and_an_owner_is_never_kept_out(
    steps: list[tuple[str, str, str, str]],
) -> None:
    clock = FrozenClock()
    guard = throttle.Throttle(clock, free=2, max_delay_s=15, account_delay_s=3)
    guard.succeeded("203.0.113.1", "alice")
    for what, address, name, secret in steps:
        if what == "fail":
            with contextlib.suppress(UnicodeEncodeError):
                guard.failed(address, name, secret)
        elif what == "ok":
            guard.succeeded(address, name)
            assert guard.delay(address, name) == 0
        else:
            clock.advance(1)
        assert 0 <= guard.delay(address, name) <= 15
        assert guard.delay("203.0.113.1", "alice") == 0
        assert guard.delay("198.51.100.1", "alice") <= 3
