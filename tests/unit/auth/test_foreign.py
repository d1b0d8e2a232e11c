"""Hashes of other systems."""

import pytest

from quintet.auth import foreign, passwords, scram
from quintet.config.auth import Auth
from quintet.errors import BadSyntax, Refused
from tests.unit.auth.conftest import CHEAP

LONG = "a very much longer text to encrypt.  This one even stretches over morethan one line."
SPEC = [  # Drepper, "Unix crypt using SHA-256 and SHA-512", test vectors
    ("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"),
    ("$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!"),
    ("$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1", LONG),
    (
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "Hello world!",
    ),
    (
        (
            "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/"
            "YTBmSK6H9qs/y3RnOaw5v."
        ),
        "Hello world!",
    ),
    (
        (
            "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEi"
            "DwGqd8p4ur1"
        ),
        LONG,
    ),
]
OTHERS = [
    ("{SSHA}TnmaN9qqnoBFXQC2+RJ979DH5KhzYWx0", "tea"),
    (
        "{ssha512}hN4S9oN2lL0Ot7lErKFCrAHl4ORU/7vo4ibjgRr1T1uvV/7lse++lvIXAteMqzxcSxzY9zAkypsRFlp2Y636BHNhbHQ=",
        "tea",
    ),
    ("$pbkdf2-sha256$6400$8PHy8/T19vf4.fr7/P3./w$Su6XdgojXneiyra3.OOMs7KSirH4A3GXZHKiYm/GdsU", "password"),
    ("pbkdf2_sha256$10000$s$" + "LtTWtV9KbGb4x6EsVgW2bejPzA9Dn3VRz2hUxW8poeU=", "tea"),
]


@pytest.mark.parametrize(("stored", "secret"), [*SPEC, *OTHERS])
def test_hash_of_another_system_is_understood(stored: str, secret: str) -> None:
    assert foreign.understood(stored)
    assert foreign.check(stored, secret)
    assert not foreign.check(stored, secret + "x")
    assert not foreign.check(stored[:-2], secret)


def test_dovecot_scheme_may_stand_in_front() -> None:
    assert foreign.check("{CRYPT}" + SPEC[1][0], SPEC[1][1])
    argon = passwords.hash_secret("tea", Auth(**CHEAP))[0].secret
    assert foreign.check("{ARGON2ID}" + argon, "tea")
    assert not foreign.check(argon, "coffee")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "tea",
        "{PLAIN}tea",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA",
        "$6$",
        "$6$rounds=999999999$salt$" + "a" * 86,
        "$pbkdf2-sha256$999999999$AAAA$AAAA",
        "$pbkdf2-sha256$0$AAAA$AAAA",
        "$pbkdf2-sha256$1$A$AAAA",
        "pbkdf2_sha256$10$s$",
        "pbkdf2_md5$10$s$AAAA",
        "{SSHA}",
        "{SSHA}not base64",
        "{SSHA}AAAA",
        "scram-sha256$4096$AAAA",
        "scram-sha256$4096$!$!$!",
        "scram-sha256$99999999$AAAA$AAAA$AAAA",
        "app$zz$00",
        "app$" + "00" * 40 + "$00",
    ],
)
def test_stored_nonsense_opens_nothing(stored: str) -> None:
    assert not passwords.check(stored, "tea")
    assert not passwords.check_app_password(stored, "tea")
    assert passwords.needs_rehash(stored, Auth())


def test_new_password_makes_every_row_and_quick_rows_open_too() -> None:
    config = Auth(**CHEAP)
    rows = passwords.hash_secret("tea", config)
    assert [row.kind for row in rows] == ["password", "scram-sha-256", "scram-sha-1"]
    for row in rows + passwords.quick_rows("tea", config):
        assert passwords.check(row.secret, "tea")
        assert not passwords.check(row.secret, "coffee")
    assert [row.kind for row in passwords.quick_rows("tea", config)] == ["scram-sha-256", "scram-sha-1"]
    assert [row.kind for row in passwords.quick_rows("tea", Auth(**CHEAP, scram=()))] == ["password"]
    assert [row.kind for row in passwords.quick_rows("tea", Auth(**CHEAP, apop=True))][-1] == "apop"
    assert not passwords.needs_rehash(rows[0].secret, config)
    assert passwords.needs_rehash(rows[0].secret, Auth())


def test_default_cost_is_what_owasp_asks_at_least() -> None:
    assert passwords.hash_secret("tea")[0].secret.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    verifier = scram.parse(passwords.quick_rows("tea")[0].secret)
    assert verifier is not None
    assert verifier.iterations == 10_000


def test_empty_or_impossible_password_is_not_taken() -> None:
    with pytest.raises(Refused):
        passwords.hash_secret("\u00ad")  # a soft hyphen is mapped to nothing
    with pytest.raises(BadSyntax):
        passwords.hash_secret("a\x07")


def test_app_passwords_differ_and_check() -> None:
    one, other = passwords.new_app_password(), passwords.new_app_password()
    assert one != other
    assert set(one) <= set(passwords.APP_ALPHABET + "-")
    assert passwords.check_app_password(passwords.hash_app_password(one), one)
    assert not passwords.check_app_password(passwords.hash_app_password(one), other)
