"""Logging in by password: what is told to whom, app passwords, remembering, and better hashes."""

import asyncio
import threading
from dataclasses import replace

import pytest

from quintet import log, metrics
from quintet.auth import admin, passwords, vault
from quintet.errors import BadSyntax, Reason, Refused, TryLater
from quintet.net.seam import TlsInfo
from quintet.store import accounts
from tests.unit.auth.conftest import House, peer

ALICE = "alice@example.org"
SECRET = "alice's secret"


async def refusal(house: House, name: str, secret: str, scope: str = "imap", **more) -> Reason:
    with pytest.raises((Refused, TryLater)) as caught:
        await house.auth.password(name, secret, more.pop("peer", peer()), scope, **more)
    return caught.value.reason


async def test_right_password_gives_identity(house: House) -> None:
    identity = await house.auth.password("Alice@Example.ORG", SECRET, peer(), "imap")
    assert (identity.account_id, identity.name) == (house.ids["alice"], ALICE)
    assert (identity.mechanism, identity.scope, identity.app) == ("PLAIN", "imap", "")


@pytest.mark.parametrize("name", [ALICE, "nobody@example.org", "", "news"])
async def test_wrong_password_and_unknown_name_are_refused_alike(house: House, name: str) -> None:
    assert await refusal(house, name, "wrong") is Reason.AUTH_FAILED


async def test_unknown_name_costs_the_same_hash_as_a_wrong_password(house: House, monkeypatch) -> None:
    checked: list[str] = []
    real = passwords.check
    monkeypatch.setattr(
        passwords, "check", lambda stored, secret: checked.append(stored) or real(stored, secret)
    )
    for name in (ALICE, "nobody@example.org"):
        await refusal(house, name, "wrong")
    assert [stored.split("$")[1:4] for stored in checked] == 2 * [["argon2id", "v=19", "m=64,t=1,p=1"]]


async def test_default_domain_is_added(house: House) -> None:
    auth = house.again(default_domain="Example.Org")
    assert (await auth.password("alice", SECRET, peer(), "pop3")).name == ALICE


async def test_cleartext_needs_tls_or_loopback_or_permission(house: House) -> None:
    bare = peer(tls=False)
    assert await refusal(house, ALICE, SECRET, peer=bare) is Reason.AUTH_WEAK
    assert (await house.auth.password(ALICE, SECRET, peer("127.0.0.1", tls=False), "imap")).name == ALICE
    assert (await house.again(cleartext="always").password(ALICE, SECRET, bare, "imap")).name == ALICE
    assert house.auth.remembered(ALICE, SECRET, bare, "imap") is None


async def test_disabled_account_is_told_only_to_who_knows_the_password(house: House) -> None:
    await house.store.write(accounts.change, house.ids["alice"], disabled=True)
    assert await refusal(house, ALICE, SECRET) is Reason.ACCOUNT_DISABLED
    assert await refusal(house, ALICE, "wrong") is Reason.AUTH_FAILED


async def test_password_with_letters_that_no_password_has_is_bad_syntax(house: House) -> None:
    with pytest.raises(BadSyntax):
        await house.auth.password(ALICE, "a\0b", peer(), "imap")
    with pytest.raises(BadSyntax):
        await house.auth.password(ALICE, "x" * 2000, peer(), "imap")


async def test_password_typed_in_another_normal_form_is_the_same(house: House) -> None:
    await admin.set_password(house.store, house.ids["alice"], "Zo\u00eb \u00a0x", house.config)
    assert await house.auth.password(ALICE, "Zoe\u0308  x", peer(), "imap")


async def test_remembered_secret_needs_no_hash_and_ends_with_the_password(house: House, monkeypatch) -> None:
    assert house.auth.remembered(ALICE, SECRET, peer(), "imap") is None
    first = await house.auth.password(ALICE, SECRET, peer(), "imap")
    monkeypatch.setattr(passwords, "check", lambda stored, secret: pytest.fail("hashed"))
    assert house.auth.remembered(ALICE, SECRET, peer(), "imap") == first
    assert await house.auth.password(ALICE, SECRET, peer(), "pop3") == replace(first, scope="pop3")
    assert house.auth.remembered(ALICE, SECRET + "x", peer(), "imap") is None
    await admin.set_password(house.store, house.ids["alice"], "new", house.config)
    assert house.auth.remembered(ALICE, SECRET, peer(), "imap") is None


async def test_remembered_secret_ends_with_time_disabling_and_removal(house: House) -> None:
    async def remember() -> None:
        assert await house.auth.password(ALICE, SECRET, peer(), "imap")
        assert house.auth.remembered(ALICE, SECRET, peer(), "imap")

    await remember()
    house.clock.advance(house.config.remember_s)
    assert house.auth.remembered(ALICE, SECRET, peer(), "imap") is None
    await remember()
    await house.store.write(accounts.change, house.ids["alice"], disabled=True)
    assert house.auth.remembered(ALICE, SECRET, peer(), "imap") is None
    await house.store.write(accounts.change, house.ids["alice"], disabled=False)
    await remember()
    await house.store.write(accounts.remove, house.ids["alice"])
    assert house.auth.remembered(ALICE, SECRET, peer(), "imap") is None


async def test_remembering_can_be_turned_off_and_is_bounded(house: House) -> None:
    for options in ({"remember_s": 0}, {"remember_max": 0}):
        auth = house.again(**options)
        await auth.password(ALICE, SECRET, peer(), "imap")
        assert auth.remembered(ALICE, SECRET, peer(), "imap") is None
    auth = house.again(remember_max=1)
    await auth.password(ALICE, SECRET, peer(), "imap")
    await auth.password("bob@example.org", "bob's secret", peer(), "imap")
    assert auth.remembered(ALICE, SECRET, peer(), "imap") is None
    assert auth.remembered("bob@example.org", "bob's secret", peer(), "imap")


async def test_app_password_opens_its_protocols_until_it_expires(house: House) -> None:
    ends = house.clock.now() + 3_600_000
    secret = await admin.add_app_password(
        house.store, house.ids["alice"], "phone", ["imap", "smtp"], ends, house.config
    )
    assert len(secret.replace("-", "")) == passwords.APP_LENGTH
    identity = await house.auth.password(ALICE, secret, peer(), "imap")
    assert identity.app == "phone"
    assert house.auth.remembered(ALICE, secret, peer(), "smtp")
    assert house.auth.remembered(ALICE, secret, peer(), "pop3") is None
    assert await refusal(house, ALICE, secret, "pop3") is Reason.AUTH_FAILED
    house.clock.advance(3600)
    assert house.auth.remembered(ALICE, secret, peer(), "imap") is None
    assert await refusal(house, ALICE, secret) is Reason.AUTH_EXPIRED
    assert await house.auth.password(ALICE, SECRET, peer(), "pop3")


async def test_app_password_outlives_a_new_password_and_dies_when_removed(house: House) -> None:
    store, alice = house.store, house.ids["alice"]
    secret = await admin.add_app_password(store, alice, "phone", config=house.config)
    await admin.set_password(store, alice, "new", house.config)
    assert await house.auth.password(ALICE, secret, peer(), "nntp")
    assert await admin.remove_app_password(store, alice, "phone")
    assert not await admin.remove_app_password(store, alice, "phone")
    assert not await admin.remove_app_password(store, alice, "")
    assert await refusal(house, ALICE, secret, "nntp") is Reason.AUTH_FAILED
    assert await house.auth.password(ALICE, "new", peer(), "nntp")


async def test_app_passwords_are_listed_with_their_last_use(house: House) -> None:
    store, alice = house.store, house.ids["alice"]
    secret = await admin.add_app_password(store, alice, "phone", ["pop3"], config=house.config)
    assert admin.app_passwords(store, alice) == [admin.AppPassword("phone", ("pop3",), 0, 0)]
    await house.auth.password(ALICE, secret, peer(), "pop3")
    await house.auth.settle()
    assert admin.app_passwords(store, alice)[0].last_used_at == house.clock.now()


@pytest.mark.parametrize(
    ("name", "scopes", "reason"),
    [
        ("", ["imap"], Reason.BAD_NAME),
        ("x" * 101, [], Reason.BAD_NAME),
        ("a\nb", [], Reason.BAD_NAME),
        ("tv", ["gopher"], Reason.BAD_NAME),
        ("phone", [], Reason.ALREADY_EXISTS),
    ],
)
async def test_impossible_app_password_is_refused(
    house: House, name: str, scopes: list[str], reason: Reason
) -> None:
    await admin.add_app_password(house.store, house.ids["alice"], "phone", config=house.config)
    with pytest.raises(Refused) as caught:
        await admin.add_app_password(house.store, house.ids["alice"], name, scopes, config=house.config)
    assert caught.value.reason is reason


async def test_number_of_app_passwords_is_bounded(house: House, monkeypatch) -> None:
    monkeypatch.setattr(passwords, "MAX_APP_PASSWORDS", 1)
    await admin.add_app_password(house.store, house.ids["alice"], "one", config=house.config)
    with pytest.raises(Refused) as caught:
        await admin.add_app_password(house.store, house.ids["alice"], "two", config=house.config)
    assert caught.value.reason is Reason.TOO_MANY


async def test_imported_hash_becomes_argon2id_and_verifiers_at_the_first_login(house: House) -> None:
    stored = (
        "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
        "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
    )
    await admin.set_hashed(house.store, house.ids["alice"], stored)
    assert await refusal(house, ALICE, "wrong") is Reason.AUTH_FAILED
    assert await house.auth.password(ALICE, "Hello world!", peer(), "imap")
    await house.auth.settle()
    kinds = {row.kind: row for row in house.store.peek(vault.secrets_of, house.ids["alice"]).secrets}
    assert set(kinds) == {"password", "scram-sha-256", "scram-sha-1"}
    assert kinds["password"].stored.startswith("$argon2id$")
    assert await house.auth.password(ALICE, "Hello world!", peer(), "imap")
    with pytest.raises(Refused):
        await admin.set_hashed(house.store, house.ids["alice"], "$2b$12$bcrypt")


async def test_hash_of_old_cost_is_renewed_but_never_over_a_newer_password(house: House) -> None:
    auth = house.again(argon2_time=2)
    found = house.store.peek(vault.lookup, ALICE)
    assert found is not None
    await auth.password(ALICE, SECRET, peer(), "imap")
    await auth.settle()
    stored = house.store.peek(vault.lookup, ALICE).of_kind("password")[0].stored
    assert ",t=2," in stored
    rows = passwords.hash_secret(SECRET, house.config)
    assert not await house.store.write(
        vault.upgrade, house.ids["alice"], found.of_kind("password")[0].stored, rows
    )
    assert house.store.peek(vault.lookup, ALICE).of_kind("password")[0].stored == stored


async def test_load_makes_accounts_that_can_log_in_at_once(house: House) -> None:
    hashed = "{SSHA}TnmaN9qqnoBFXQC2+RJ979DH5KhzYWx0"
    pairs = [
        ("dan@example.org", "d"),
        ("alice@example.org", "changed"),
        ("a/b", "x"),
        ("eve@example.org", ""),
        ("fay@example.org", hashed),
        ("bad@example.org", "a\0b"),
    ]
    loaded = [each async for each in admin.load(house.store, pairs, house.config)]
    assert [(each.made, bool(each.problem)) for each in loaded] == [
        (True, False), (False, False), (False, True), (False, True), (True, False), (False, True),
    ]  # fmt: skip
    assert await house.auth.password("dan@example.org", "d", peer(), "imap")
    assert await refusal(house, "dan@example.org", "e") is Reason.AUTH_FAILED
    await house.auth.settle()
    kinds = {row.kind for row in house.store.peek(vault.lookup, "dan@example.org").secrets}
    assert kinds == {"password", "scram-sha-256", "scram-sha-1"}
    assert await house.auth.password(ALICE, "changed", peer(), "imap")
    full = [
        each async for each in admin.load(house.store, [("gus@example.org", "g")], house.config, quick=False)
    ]
    assert full == [admin.Loaded("gus@example.org", made=True)]


async def test_hashing_queue_is_bounded(house: House) -> None:
    hasher = passwords.Hasher(threads=1, queue=1)
    gate = threading.Event()
    calls = [asyncio.ensure_future(hasher.run(gate.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0)

    async def busy() -> None:
        with pytest.raises(TryLater) as caught:
            await hasher.run(int)
        assert caught.value.reason is Reason.BUSY

    await busy()
    calls[0].cancel()  # its caller is gone, its thread is not
    await asyncio.gather(calls[0], return_exceptions=True)
    await busy()
    gate.set()
    assert await calls[1]
    assert await hasher.run(int) == 0
    hasher.close()
    with pytest.raises(TryLater) as caught:
        await hasher.run(int)
    assert caught.value.reason is Reason.SHUTDOWN


async def test_master_may_act_as_another_and_others_may_not(house: House) -> None:
    bob = "bob@example.org"
    assert await refusal(house, ALICE, SECRET, authzid=bob) is Reason.AUTH_OTHER
    assert await house.auth.password(ALICE, SECRET, peer(), "imap", authzid=ALICE.upper())
    auth = house.again(masters=(ALICE,))
    identity = await auth.password(ALICE, SECRET, peer(), "imap", authzid=bob)
    assert (identity.name, identity.master) == (bob, ALICE)
    with pytest.raises(Refused):
        await auth.password(ALICE, SECRET, peer(), "imap", authzid="nobody@example.org")
    with pytest.raises(Refused):
        await auth.password(bob, "bob's secret", peer(), "imap", authzid=ALICE)


async def test_each_attempt_leaves_a_line_and_a_count_without_the_secret(house: House) -> None:
    def counted(result: str) -> float:
        return (
            metrics.REGISTRY.get_sample_value("quintet_logins_total", {"protocol": "pop3", "result": result})
            or 0
        )

    before = counted("ok"), counted("failed")
    with log.capture() as lines:
        await house.auth.password(ALICE, SECRET, peer(), "pop3")
        await house.auth.password(ALICE, SECRET, peer(), "pop3")
        await refusal(house, ALICE, "wrong secret", "pop3")
    assert [line["event"] for line in lines] == ["login", "login remembered", "login failed"]
    assert all(line["conn"] == "c1" and line["account"] == ALICE for line in lines)
    assert "secret" not in repr(lines)
    assert (counted("ok") - before[0], counted("failed") - before[1]) == (2, 1)


async def test_the_cipher_is_logged_with_each_login(house: House) -> None:
    """RFC 8314 4."""
    under = peer()
    under.tls = TlsInfo("TLSv1.3", "TLS_AES_128_GCM_SHA256", 128)
    with log.capture() as lines:
        await house.auth.password(ALICE, SECRET, under, "imap")
        await house.auth.password(ALICE, SECRET, peer(), "imap")
    assert lines[0]["tls"] == "TLSv1.3 TLS_AES_128_GCM_SHA256"
    assert not lines[-1].get("tls")


async def test_apop_needs_to_be_configured(house: House) -> None:
    """RFC 1939 7, with its example."""
    banner, digest = "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb"
    with pytest.raises(Refused) as caught:
        await house.auth.apop(ALICE, digest, banner, peer())
    assert caught.value.reason is Reason.AUTH_MECHANISM
    auth = house.again(apop=True)
    await admin.set_password(house.store, house.ids["alice"], "tanstaaf", auth.config)
    assert (await auth.apop(ALICE, digest, banner, peer())).mechanism == "APOP"
    for name, wrong in ((ALICE, digest[:-1] + "c"), ("nobody@example.org", digest), (ALICE, "\u00e9")):
        with pytest.raises(Refused) as caught:
            await auth.apop(name, wrong, banner, peer())
        assert caught.value.reason is Reason.AUTH_FAILED


async def test_key_file_is_made_once_and_private(house: House) -> None:
    path = house.store.data / "auth.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert house.again().key == house.auth.key == path.read_bytes()
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="at least 32"):
        house.again()
