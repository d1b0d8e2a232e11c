"""SASL exchanges as a protocol sees them; vectors of RFC 4616, 5802, 7677, 7628 and 4013."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from quintet.auth import admin, client, dialogue, oauth, sasl, saslprep, scram
from quintet.auth.identity import Identity
from quintet.clock import FrozenClock
from quintet.config.auth import Auth
from quintet.errors import BadSyntax, Problem, Reason, Refused
from tests.unit.auth.conftest import House, peer

ALICE = "alice@example.org"
SECRET = "alice's secret"


async def talk(auth, machine: client.Machine, mechanism: str, who=None, scope: str = "imap", *, sir=True):
    """A client machine against the service; the client's and the server's view must both hold."""
    exchange = auth.exchange(mechanism, who or peer(), scope)
    first = machine.first()
    answer = await exchange.step(first if sir else None)
    if not sir and first is not None:
        assert answer == b""
        answer = await exchange.step(first)
    while isinstance(answer, bytes):
        answer = await exchange.step(machine.answer(answer))
    assert machine.complete
    return answer


# SASLprep: RFC 4013 3, and RFC 3454


@pytest.mark.parametrize(
    ("given", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
        ("", ""),
        ("\U0001f511", "\U0001f511"),  # younger than Unicode 3.2: kept
    ],
)
def test_saslprep(given: str, prepared: str) -> None:
    assert saslprep.prepare(given) == prepared


@pytest.mark.parametrize(
    "given", ["\u0007", "\u0627\u0031", "\u0627a\u0628", "a\x7f", "\ue000", "\ufffd", "\u200e", "x" * 1025]
)
def test_saslprep_refuses(given: str) -> None:
    with pytest.raises(BadSyntax):
        saslprep.prepare(given)


# PLAIN (RFC 4616 4) and LOGIN


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        (b"\0tim\0tanstaaftanstaaf", sasl.CheckPassword("tim", "tanstaaftanstaaf", "")),
        (b"Ursel\0Kurt\0xipj3plmq", sasl.CheckPassword("Kurt", "xipj3plmq", "Ursel")),
        (b"tim\0tanstaaf", None),
        (b"\0\0secret", None),
        (b"\0tim\0", None),
        (b"\0tim\0\xc2\xad", None),
        (b"\0tim\0\xff", None),
        (b"a\0b\0c\0d", None),
        (b"", None),
        (b"\0tim\0" + b"x" * 5000, None),
    ],
)
def test_plain_message(message: bytes, outcome: sasl.CheckPassword | None) -> None:
    if outcome is None:
        with pytest.raises(BadSyntax):
            sasl.Plain().step(message)
    else:
        assert sasl.Plain().step(message) == outcome


@pytest.mark.parametrize("sir", [True, False])
@pytest.mark.parametrize(
    "mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"]
)
async def test_each_mechanism_lets_the_owner_in_and_nobody_else(
    house: House, mechanism: str, sir: bool
) -> None:
    def machine(name: str, secret: str) -> client.Machine:
        if mechanism in ("PLAIN", "LOGIN"):
            return {"PLAIN": client.Plain, "LOGIN": client.Login}[mechanism](name, secret)
        return client.Scram(mechanism, name, secret, "clientnonce", end_point=b"end point")

    identity = await talk(house.auth, machine("Alice@example.org", SECRET), mechanism, sir=sir)
    assert identity == Identity(house.ids["alice"], ALICE, mechanism, "imap")
    for name, secret in ((ALICE, "wrong"), ("nobody@example.org", SECRET)):
        with pytest.raises(Refused) as caught:
            await talk(house.auth, machine(name, secret), mechanism, sir=sir)
        assert caught.value.reason is Reason.AUTH_FAILED


async def test_login_takes_the_name_as_initial_response(house: House) -> None:
    exchange = house.auth.exchange("login", peer(), "smtp")
    assert await exchange.step(None) == b"Username:"
    assert await exchange.step(b"alice@example.org\0") == b"Password:"
    assert isinstance(await exchange.step(SECRET.encode()), Identity)
    assert await house.auth.exchange("LOGIN", peer(), "smtp").step(ALICE.encode()) == b"Password:"


# SCRAM


def test_scram_sha_256_vector() -> None:
    """RFC 7677 3."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    verifier = scram.make("sha256", "pencil", salt, 4096)
    server = scram.Server(
        "SCRAM-SHA-256", r"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", end_point=b"", plus_offered=False
    )
    assert server.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == sasl.FindVerifiers("user")
    assert server.found([verifier]).data == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert server.step(final) == sasl.Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert server.step(b"") == sasl.Proved("user", "", 0)
    with pytest.raises(BadSyntax):
        server.step(b"")


def test_scram_sha_1_vector_both_sides() -> None:
    """RFC 5802 5."""
    machine = client.Scram("SCRAM-SHA-1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL")
    assert machine.first() == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    server_first = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    assert machine.answer(server_first) == (
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    )
    assert not machine.complete
    assert machine.answer(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == b""
    assert machine.complete


FIRST = b"n=user,r=abc"
BOUND = base64.b64encode(b"p=tls-server-end-point,,end point")


@pytest.mark.parametrize(
    ("mechanism", "plus_offered", "first", "final", "error"),
    [
        ("SCRAM-SHA-256", True, b"y,," + FIRST, b"", "server-does-support-channel-binding"),
        ("SCRAM-SHA-256", False, b"p=tls-unique,," + FIRST, b"", "channel-binding-not-supported"),
        ("SCRAM-SHA-256-PLUS", True, b"p=tls-exporter,," + FIRST, b"", "unsupported-channel-binding-type"),
        ("SCRAM-SHA-256-PLUS", True, b"n,," + FIRST, b"", "channel-bindings-dont-match"),
        ("SCRAM-SHA-256", False, b"n,,m=x," + FIRST, b"", "extensions-not-supported"),
        ("SCRAM-SHA-256", False, b"n,,n=us=er,r=abc", b"", "invalid-username-encoding"),
        ("SCRAM-SHA-256", False, b"n,,n=us\xc2\x80er,r=abc", b"", "invalid-username-encoding"),
        ("SCRAM-SHA-256", False, b"n,a==,n=user,r=abc", b"", "invalid-username-encoding"),
        ("SCRAM-SHA-256", False, b"n,," + FIRST, b"c=biws,r=abcXYZ,p=AAAA", "invalid-proof"),
        (
            "SCRAM-SHA-256",
            False,
            b"n,," + FIRST,
            b"c=biws,r=abcXYZ,p=" + base64.b64encode(bytes(32)),
            "invalid-proof",
        ),
        ("SCRAM-SHA-256", False, b"n,," + FIRST, b"c=eSws,r=abcXYZ,p=AAAA", "channel-bindings-dont-match"),
        (
            "SCRAM-SHA-256-PLUS",
            True,
            b"p=tls-server-end-point,," + FIRST,
            b"c=biws,r=abcXYZ,p=AAAA",
            "channel-bindings-dont-match",
        ),
        (
            "SCRAM-SHA-256-PLUS",
            True,
            b"p=tls-server-end-point,," + FIRST,
            b"c=" + BOUND + b",r=abcXYZ,p=AAAA",
            "invalid-proof",
        ),
        ("SCRAM-SHA-256", False, b"n,," + FIRST, b"c=biws,r=abcXYA,p=AAAA", "other-error"),
        ("SCRAM-SHA-256", False, b"n,," + FIRST, b"c=biws,r=abcXYZ,p=A", "invalid-encoding"),
        ("SCRAM-SHA-256", False, b"n,," + FIRST, b"c=biws,r=abcXYZ,m=x,p=AAAA", "extensions-not-supported"),
        ("SCRAM-SHA-256", False, b"n,,n=user", b"", None),
        ("SCRAM-SHA-256", False, b"x,," + FIRST, b"", None),
        ("SCRAM-SHA-256", False, b"\xff", b"", None),
        ("SCRAM-SHA-256", False, b"n,," + FIRST, b"c=biws", None),
    ],
)
def test_scram_server_error(
    mechanism: str, plus_offered: bool, first: bytes, final: bytes, error: str | None
) -> None:
    """RFC 5802 7: the value after e=; None where the message is no SCRAM message at all."""

    def run() -> sasl.Outcome:
        server = scram.Server(mechanism, "XYZ", end_point=b"end point", plus_offered=plus_offered)
        outcome = server.step(first)
        if not final:
            return outcome
        assert isinstance(outcome, sasl.FindVerifiers)
        server.found([scram.make("sha256", "pencil", b"salt", 1)])
        return server.step(final)

    if error is None:
        with pytest.raises(BadSyntax):
            run()
        return
    outcome = run()
    assert isinstance(outcome, sasl.Failed)
    assert outcome.data == b"e=" + error.encode()
    assert outcome.guess == (error == "invalid-proof")


async def test_scram_says_the_same_of_unknown_names_every_time(house: House) -> None:
    async def server_first(auth, name: bytes) -> tuple[bytes, bytes]:
        data = await auth.exchange("SCRAM-SHA-256", peer(), "imap").step(b"n,,n=" + name + b",r=abc")
        _, salt, rounds = data.split(b",")
        return salt, rounds

    unknown = await server_first(house.auth, b"nobody@example.org")
    assert unknown == await server_first(house.auth, b"NOBODY@example.org")
    assert unknown == await server_first(house.again(), b"nobody@example.org")  # after a restart too
    assert unknown != await server_first(house.auth, b"somebody@example.org")
    known = await server_first(house.auth, ALICE.encode())
    assert known == await server_first(house.auth, ALICE.encode())
    assert (len(known[0]), known[1]) == (len(unknown[0]), unknown[1])


async def test_scram_failure_is_told_as_server_error_then_refused_alike(house: House) -> None:
    for name in (ALICE, "nobody@example.org"):
        exchange = house.auth.exchange("SCRAM-SHA-256", peer(), "imap")
        first = await exchange.step(f"n,,n={name},r=abc".encode())
        nonce = first.split(b",")[0]
        final = b"c=biws," + nonce + b",p=" + base64.b64encode(bytes(32))
        assert await exchange.step(final) == b"e=invalid-proof"
        for response in (b"", None, b"again"):
            with pytest.raises(Refused) as caught:
                await exchange.step(response)
            assert caught.value.reason is Reason.AUTH_FAILED


async def test_scram_takes_app_passwords_of_the_protocol(house: House) -> None:
    alice = house.ids["alice"]
    secret = await admin.add_app_password(house.store, alice, "phone", ["imap"], config=house.config)
    other = await admin.add_app_password(house.store, alice, "tv", ["pop3"], config=house.config)
    await admin.set_password(house.store, alice, "new", house.config)
    for given, app in ((secret, "phone"), ("new", "")):
        machine = client.Scram("SCRAM-SHA-256", ALICE, given, "abc")
        assert (await talk(house.auth, machine, "SCRAM-SHA-256")).app == app
    for given, scope in ((other, "imap"), (secret, "pop3"), (SECRET, "imap")):
        with pytest.raises(Refused):
            await talk(
                house.auth, client.Scram("SCRAM-SHA-256", ALICE, given, "abc"), "SCRAM-SHA-256", scope=scope
            )


async def test_scram_authzid_is_checked_and_names_are_escaped(house: House) -> None:
    machine = client.Scram("SCRAM-SHA-256", ALICE, SECRET, "abc", authzid="bob@example.org")
    with pytest.raises(Refused):
        await talk(house.auth, machine, "SCRAM-SHA-256")
    master = client.Scram("SCRAM-SHA-256", ALICE, SECRET, "abc", authzid="bob@example.org")
    assert (await talk(house.again(masters=(ALICE,)), master, "SCRAM-SHA-256")).master == ALICE
    assert client.Scram("SCRAM-SHA-1", "a,b=c", "x", "n").first() == b"n,,n=a=2Cb=3Dc,r=n"
    server = scram.Server("SCRAM-SHA-1", "n", end_point=b"", plus_offered=False)
    assert server.step(b"n,a=x=2Cy,n=a=2Cb=3Dc,r=n") == sasl.FindVerifiers("a,b=c")


@pytest.mark.parametrize(
    "challenge",
    [
        b"r=other,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=abc,s=QSXCR+Q6sek8bf92,i=4096",
        b"r=abcd,s=QSXCR+Q6sek8bf92,i=1",
        b"r=abcd,s=QSXCR+Q6sek8bf92,i=99999999",
        b"r=abcd,s=A,i=4096",
        b"e=other-error",
        b"\xff",
        b"",
    ],
)
def test_scram_client_refuses_a_strange_server(challenge: bytes) -> None:
    with pytest.raises((BadSyntax, Refused)):
        client.Scram("SCRAM-SHA-256", "user", "pencil", "abc").answer(challenge)


def test_scram_client_refuses_a_server_that_does_not_know_the_secret() -> None:
    for last in (b"v=AAAA", b"e=invalid-proof", b""):
        machine = client.Scram("SCRAM-SHA-256", "user", "pencil", "abc")
        machine.answer(b"r=abcd,s=QSXCR+Q6sek8bf92,i=4096")
        with pytest.raises(Refused):
            machine.answer(last)
        assert not machine.complete


def test_client_chooses_the_strongest_and_tells_a_downgrade() -> None:
    every = ["LOGIN", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"]
    assert client.choose(every, "a", "b", "n", end_point=b"x")[0] == "SCRAM-SHA-256-PLUS"
    assert client.choose(every, "a", "b", "n")[0] == "SCRAM-SHA-256"
    name, machine = client.choose(every[:4], "a", "b", "n", end_point=b"x")
    assert (name, machine.first()) == ("SCRAM-SHA-256", b"y,,n=a,r=n")
    assert client.choose(["LOGIN", "plain"], "a", "b", "n", cleartext=True)[0] == "PLAIN"
    assert client.choose(["LOGIN"], "a", "b", "n", cleartext=True)[0] == "LOGIN"
    for offered in (["LOGIN", "PLAIN"], ["GSSAPI"], []):
        with pytest.raises(Refused):
            client.choose(offered, "a", "b", "n")


# tokens


def keys(clock: FrozenClock, **options) -> oauth.Keys:
    made = oauth.Keys(Auth(**options), clock)
    made.add("HS256", b"k" * 32)
    return made


def token(clock: FrozenClock, key: object = b"k" * 32, algorithm: str = "HS256", **claims: object) -> str:
    base = {"email": ALICE, "exp": clock.now() // 1000 + 600}
    return jwt.encode({**base, **claims}, key, algorithm=algorithm)


@pytest.mark.parametrize(
    ("claims", "options", "reason"),
    [
        ({}, {}, None),
        ({"exp": 0}, {}, Reason.AUTH_EXPIRED),
        ({"exp": "soon"}, {}, Reason.AUTH_FAILED),
        ({"nbf": 4_000_000_000}, {}, Reason.AUTH_FAILED),
        ({"email": ""}, {}, Reason.AUTH_FAILED),
        ({"email": 7}, {}, Reason.AUTH_FAILED),
        ({"email_verified": False}, {}, Reason.AUTH_FAILED),
        ({}, {"token_issuer": "https://id"}, Reason.AUTH_FAILED),
        ({"iss": "https://id"}, {"token_issuer": "https://id"}, None),
        ({"aud": ["web", "mail"]}, {"token_audience": "mail"}, None),
        ({"aud": "web"}, {"token_audience": "mail"}, Reason.AUTH_FAILED),
        ({"scope": "openid mail"}, {"token_scope": "mail"}, None),
        ({"scope": "openid"}, {"token_scope": "mail"}, Reason.AUTH_FAILED),
        ({"upn": ALICE}, {"token_claim": "upn"}, None),
    ],
)
def test_token_claims(claims: dict, options: dict, reason: Reason | None) -> None:
    clock = FrozenClock()
    if reason is None:
        assert keys(clock, **options).account(token(clock, **claims)) == ALICE
        return
    with pytest.raises(Refused) as caught:
        keys(clock, **options).account(token(clock, **claims))
    assert caught.value.reason is reason


def test_token_keys_are_files_and_used_with_their_algorithm_only(tmp_path) -> None:
    clock = FrozenClock()
    curve, modulus = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "es.pem").write_bytes(curve.public_key().public_bytes(pem, form))
    (tmp_path / "rs.pem").write_bytes(modulus.public_key().public_bytes(pem, form))
    (tmp_path / "shared").write_bytes(b"k" * 32 + b"\n")
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(modulus.public_key()))
    (tmp_path / "set.json").write_text(json.dumps({"keys": [{**jwk, "alg": "RS256", "kid": "1"}]}))
    load = lambda *names: oauth.Keys.load(Auth(token_keys=tuple(names)), clock)  # noqa: E731
    both = load(str(tmp_path / "es.pem"), str(tmp_path / "rs.pem"), f"hs256:{tmp_path / 'shared'}")
    for key, algorithm in ((curve, "ES256"), (modulus, "RS256"), (b"k" * 32, "HS256")):
        assert both.account(token(clock, key, algorithm)) == ALICE
    assert load(str(tmp_path / "set.json")).account(token(clock, modulus, "RS256")) == ALICE
    public = (tmp_path / "rs.pem").read_bytes()  # the public key as a shared secret: the classic confusion
    forged = jwt.api_jws.PyJWS().encode(
        b'{"email":"alice@example.org","exp":9999999999}', b"k" * 31 + b"x", "HS256"
    )
    none = jwt.encode({"email": ALICE, "exp": 9999999999}, None, algorithm="none")
    for bad in (forged, none, "a.b.c", "", token(clock, ec.generate_private_key(ec.SECP256R1()), "ES256")):
        with pytest.raises(Refused):
            both.account(bad)
    assert public.startswith(b"-----BEGIN")
    (tmp_path / "weak").write_bytes(b"short")
    for name in (f"hs256:{tmp_path / 'weak'}", str(tmp_path / "weak")):
        with pytest.raises(ValueError, match="weak"):
            load(name)
    with pytest.raises(OSError):
        load(str(tmp_path / "absent"))


def bearer(value: str, authzid: str = ALICE) -> bytes:
    return f"n,a={authzid},\x01host=mail.example.org\x01port=993\x01auth=Bearer {value}\x01\x01".encode()


async def test_bearer_token_lets_in_and_a_bad_one_is_told_why(house: House, tmp_path) -> None:
    """RFC 7628 4.1 and 4.3."""
    (tmp_path / "shared").write_bytes(b"k" * 32)
    auth = house.again(
        token_keys=(f"hs256:{tmp_path / 'shared'}",), token_scope="mail", token_discovery="https://id/d"
    )
    good = token(house.clock, scope="mail")
    for mechanism, message in (
        ("OAUTHBEARER", bearer(good)),
        ("OAUTHBEARER", bearer(good).replace(b"a=" + ALICE.encode(), b"")),
        ("XOAUTH2", client.XOAuth2(ALICE, good).first()),
    ):
        identity = await auth.exchange(mechanism, peer(), "smtp").step(message)
        assert identity == Identity(house.ids["alice"], ALICE, mechanism, "smtp")
    error = {"status": "invalid_token", "scope": "mail", "openid-configuration": "https://id/d"}
    for mechanism, message in (
        ("OAUTHBEARER", bearer(good, "bob@example.org")),
        ("OAUTHBEARER", bearer(good + "x")),
        ("OAUTHBEARER", b"n,,\x01\x01"),
        ("XOAUTH2", client.XOAuth2(ALICE, "nonsense").first()),
        ("OAUTHBEARER", bearer(token(house.clock, email="nobody@example.org", scope="mail"), "")),
    ):
        exchange = auth.exchange(mechanism, peer(), "smtp")
        assert json.loads(await exchange.step(message)) == error
        with pytest.raises(Refused) as caught:
            await exchange.step(b"\x01")
        assert caught.value.reason is Reason.AUTH_FAILED
    with pytest.raises(BadSyntax):
        await auth.exchange("XOAUTH2", peer(), "smtp").step(b"user=x")


# EXTERNAL and ANONYMOUS


def certificate(address: str) -> bytes:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "someone")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    if address:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False
        )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


async def test_external_by_address_of_the_certificate(house: House) -> None:
    from quintet.store import accounts

    await house.store.write(accounts.add_address, house.ids["bob"], "robert@example.org")
    await house.store.write(accounts.add_address, house.ids["bob"], "@example.org")
    auth = house.again(external="email")
    for address, authzid, name in (
        (ALICE, b"", "alice"),
        (ALICE, ALICE.encode(), "alice"),
        ("robert@example.org", b"", "bob"),
        (ALICE, b"bob@example.org", None),
        ("stranger@example.org", b"", None),  # a catch-all makes nobody an owner
        ("", b"", None),
    ):
        who = peer(certificate=certificate(address))
        exchange = auth.exchange("EXTERNAL", who, "imap")
        if name is None:
            with pytest.raises(Refused) as caught:
                await exchange.step(authzid)
            assert caught.value.reason is (Reason.AUTH_OTHER if authzid else Reason.AUTH_FAILED)
        else:
            assert (await exchange.step(authzid)).account_id == house.ids[name]
    with pytest.raises(BadSyntax):
        await auth.exchange("EXTERNAL", peer(certificate=b"x"), "imap").step(b"a\0b")


async def test_external_by_fingerprint(house: House) -> None:
    from quintet.auth.exchange import fingerprint

    der = certificate("")
    shown = ":".join(fingerprint(der)[i : i + 2].upper() for i in range(0, 64, 2))
    await admin.add_certificate(house.store, house.ids["alice"], "laptop", shown)
    with pytest.raises(Refused):
        await admin.add_certificate(house.store, house.ids["alice"], "laptop", "abc")
    await admin.set_password(house.store, house.ids["alice"], "new", house.config)  # certificates stay
    auth = house.again(external="fingerprint")
    identity = await auth.exchange("EXTERNAL", peer(certificate=der), "imap").step(ALICE.encode())
    assert identity.app == "laptop"
    for der_given, authzid in ((der, b""), (der, b"bob@example.org"), (certificate(""), ALICE.encode())):
        with pytest.raises(Refused):
            await auth.exchange("EXTERNAL", peer(certificate=der_given), "imap").step(authzid)


async def test_anonymous_only_where_configured(house: House) -> None:
    """RFC 4505 2."""
    with pytest.raises(Refused):
        house.auth.exchange("ANONYMOUS", peer(), "nntp")
    auth = house.again(anonymous=("nntp",), anonymous_account="Carol@example.org")
    who = peer(tls=False)
    assert (await auth.exchange("ANONYMOUS", who, "nntp").step(b"sirhc\n")).account_id == house.ids["carol"]
    assert who.notes["anonymous"] == "sirhc?"
    with pytest.raises(Refused):
        auth.exchange("ANONYMOUS", peer(), "imap")
    with pytest.raises(Refused):
        await house.again(anonymous=("nntp",)).exchange("ANONYMOUS", who, "nntp").step(b"")
    for trace in (b"\xff", b"x" * 256):
        with pytest.raises(BadSyntax):
            await auth.exchange("ANONYMOUS", who, "nntp").step(trace)


# what is offered


def test_mechanisms_depend_on_the_connection(house: House) -> None:
    scrams = ("SCRAM-SHA-256", "SCRAM-SHA-1")
    plus = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
    auth = house.auth
    assert auth.mechanisms(peer(), "imap") == (*plus, *scrams, "PLAIN", "LOGIN")
    assert auth.mechanisms(peer(tls=False), "imap") == scrams
    assert auth.mechanisms(peer("127.0.0.1", tls=False), "imap") == (*scrams, "PLAIN", "LOGIN")
    assert house.again(cleartext="always").mechanisms(peer(tls=False), "pop3") == (*scrams, "PLAIN", "LOGIN")
    assert house.again(external="email").mechanisms(peer(certificate=b"x"), "smtp")[4] == "EXTERNAL"
    assert house.again(scram=(), mechanisms=("LOGIN",)).mechanisms(peer(), "smtp") == ("LOGIN",)


@pytest.mark.parametrize(
    "options", [{"mechanisms": ("GSSAPI",)}, {"scram": ("PLAIN",)}, {"anonymous": ("gopher",)}]
)
def test_unknown_words_in_the_configuration_are_told_at_the_start(house: House, options: dict) -> None:
    with pytest.raises(ValueError, match=r"auth\.\w+: '\w+' is not one of"):
        house.again(**options)


@pytest.mark.parametrize(
    ("mechanism", "reason"),
    [
        ("PLAIN", Reason.AUTH_WEAK),
        ("login", Reason.AUTH_WEAK),
        ("GSSAPI", Reason.AUTH_MECHANISM),
        ("", Reason.AUTH_MECHANISM),
        ("SCRAM-SHA-256-PLUS", Reason.AUTH_MECHANISM),
        ("XOAUTH2", Reason.AUTH_MECHANISM),
    ],
)
def test_mechanism_that_is_not_offered(house: House, mechanism: str, reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        house.auth.exchange(mechanism, peer(tls=False), "imap")
    assert caught.value.reason is reason


# the dialogue around it


class Lines:
    def __init__(self, *lines: bytes) -> None:
        self.lines = list(lines)

    async def line(self, limit: int = 65536) -> bytes:
        return self.lines.pop(0)


async def converse(house: House, mechanism: str, argument: bytes | None, *lines: bytes) -> list[object]:
    heard: list[object] = []
    try:
        exchange = dialogue.Dialogue(house.auth.exchange(mechanism, peer(), "smtp"), Lines(*lines))
        answer = await exchange.start(argument)
        while isinstance(answer, bytes):
            heard.append(answer)
            answer = await exchange.next()
        heard.append(answer.name)
    except Problem as problem:
        heard.append(problem.reason)
    return heard


async def test_dialogue(house: House) -> None:
    """RFC 4954 4, RFC 4422 4: base64, "=" for an empty initial response, "*" cancels."""
    plain = base64.b64encode(f"\0{ALICE}\0{SECRET}".encode())
    name, secret = base64.b64encode(ALICE.encode()), base64.b64encode(SECRET.encode())
    assert await converse(house, "PLAIN", plain) == [ALICE]
    assert await converse(house, "PLAIN", None, plain) == [b"", ALICE]
    assert await converse(house, "LOGIN", None, name, secret) == [b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6", ALICE]
    assert await converse(house, "LOGIN", name, secret) == [b"UGFzc3dvcmQ6", ALICE]
    assert await converse(house, "PLAIN", None, b"*") == [b"", Reason.AUTH_CANCELLED]
    assert await converse(house, "PLAIN", b"=") == [Reason.SYNTAX]
    for bad in (b"!!", b"YQ", b"Y Q==", b"\xff"):
        assert await converse(house, "PLAIN", bad) == [Reason.SYNTAX]
    assert await converse(house, "PLAIN", b"A" * 12292) == [Reason.TOO_LONG]


async def test_exchange_ends_after_too_much(house: House) -> None:
    exchange = house.auth.exchange("PLAIN", peer(), "smtp")
    for _ in range(2):
        with pytest.raises(BadSyntax) as caught:
            await exchange.step(b"x" * (sasl.MAX_RESPONSE + 1))
        assert caught.value.reason is Reason.TOO_LONG
    exchange = house.auth.exchange("LOGIN", peer(), "smtp")
    await exchange.step(b"alice")
    with pytest.raises(BadSyntax):
        await exchange.step(None)
