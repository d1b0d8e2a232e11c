"""Signatures as pgpverify and NoCeM have them, made by gpg and checked by gpgv."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.delivery.control import signed
from quintet.delivery.control.signed import Verifier
from tests.support import pgp

ARTICLE = b"\r\n".join(
    (
        b"From: Group Admin <group-admin@isc.org>", b"Subject: cmsg newgroup comp.new", b"Date: x",
        b"Control: newgroup comp.new", b"Message-ID: <1@isc.org>", b"Approved: group-admin@isc.org", b"",
        b"comp.new is a group.  ", b"- with a dash", b"From here", b".", b"",
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pgp.Ring]:
    if why := pgp.missing():
        pytest.skip(why)
    made = pgp.Ring(tmp_path_factory.mktemp("gpg") / "home")
    yield made
    made.close()


def split(article: bytes) -> tuple[bytes, bytes]:
    header, _, body = article.partition(b"\r\n\r\n")
    return header + b"\r\n\r\n", body


async def test_good_signature_names_its_key(ring: pgp.Ring) -> None:
    found = await Verifier("gpgv", str(ring.keyring)).article(*split(ring.sign(ARTICLE)))
    assert found, found.why
    assert found.is_key("news.announce.newgroups")
    assert found.is_key("NEWS.announce.newgroups")
    assert not found.is_key("news.announce")
    assert found.is_key(found.names[1])  # its fingerprint
    assert len(found.names[1]) == 40


async def test_a_field_may_be_folded(ring: pgp.Ring) -> None:
    """It was signed with its folds, so it is checked with them."""
    text, armour = signed.detached(*split(ring.sign(ARTICLE.replace(b"Date: x", b"Date: a\r\n b")))) or (
        b"",
        b"",
    )
    assert b"\nDate: a\n b\n" in text
    assert armour.startswith(b"-----BEGIN PGP SIGNATURE-----\nVersion: GnuPG\n\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"is a group", b"is no group"),
        (b"Control: newgroup comp.new", b"Control: newgroup comp.newer"),
        (b"Date: x", b"Date: y"),
        (b"From: Group", b"Sender: someone@example.org\r\nFrom: Group"),
    ],
)
async def test_whatever_was_signed_cannot_be_changed(ring: pgp.Ring, old: bytes, new: bytes) -> None:
    data = ring.sign(ARTICLE)
    assert old in data
    found = await Verifier("gpgv", str(ring.keyring)).article(*split(data.replace(old, new, 1)))
    assert found.why == "the signature is wrong"


async def test_a_field_that_is_there_twice_proves_nothing(ring: pgp.Ring) -> None:
    data = b"Control: rmgroup comp.new\r\n" + ring.sign(ARTICLE)
    found = await Verifier("gpgv", str(ring.keyring)).article(*split(data))
    assert found.why == "no signature that can be read"


async def test_what_is_not_signed_may_differ(ring: pgp.Ring) -> None:
    data = ring.sign(ARTICLE).replace(b"Approved: group-admin", b"Approved: someone")
    assert await Verifier("gpgv", str(ring.keyring)).article(*split(data))


async def test_key_that_nobody_gave_us(ring: pgp.Ring, tmp_path: Path) -> None:
    (tmp_path / "empty.gpg").write_bytes(b"")
    found = await Verifier("gpgv", str(tmp_path / "empty.gpg")).article(*split(ring.sign(ARTICLE)))
    assert not found
    assert found.why in ("signed with a key that is not in the keyring", "the signature cannot be checked")


async def test_trouble_is_no_proof(ring: pgp.Ring, tmp_path: Path) -> None:
    parts = split(ring.sign(ARTICLE))
    assert (await Verifier("gpgv", "").article(*parts)).why == "no keyring is configured"
    assert (await Verifier("gpgv", str(tmp_path / "none")).article(*parts)).why == "no keyring is configured"
    assert "cannot be run" in (await Verifier("/nowhere/gpgv", str(ring.keyring)).article(*parts)).why
    assert not await Verifier("/bin/true", str(ring.keyring)).article(*parts)
    assert (await Verifier("gpgv", str(ring.keyring)).article(*split(ARTICLE))).why
    huge = parts[1] + b"x" * signed.MAX_SIGNED
    assert (
        await Verifier("gpgv", str(ring.keyring)).article(parts[0], huge)
    ).why == "too large to be checked"


async def test_clear_signed_text_is_what_gpg_says(ring: pgp.Ring) -> None:
    block = ring.clearsign(b"@@BEGIN NCM HEADERS\n- dash\n@@END\n")
    body = (b"before\n" + block + b"after\n").replace(b"\n", b"\r\n")
    plain, whole = signed.cleartext(body) or (b"", b"")
    assert plain == b"@@BEGIN NCM HEADERS\n- dash\n@@END\n"
    assert await Verifier("gpgv", str(ring.keyring)).block(whole)
    changed = whole.replace(b"NCM", b"NMC")
    assert (await Verifier("gpgv", str(ring.keyring)).block(changed)).why == "the signature is wrong"
    assert signed.cleartext(body + body) is None  # two of them: which one is meant?
    assert signed.cleartext(b"x") is None


def test_what_was_signed_is_found_in_no_time() -> None:
    """Anybody may send such an article; its runs of blanks and its many fields took minutes."""
    names = b",".join(b"a%d" % (at % 10) for at in range(300))
    header = b"X-PGP-Sig: 2.6.2 " + names + b"\r\n iQCVAwUB\r\n =AAAA\r\n" + b"b: \r\n" * 12_000
    began = time.process_time()
    found = signed.detached(header, (b" " * 500_000 + b"x \t\r\n") * 2)
    assert found is not None
    assert found[0].endswith(b"\n\n" + (b" " * 500_000 + b"x\n") * 2)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        ("[GNUPG:] GOODSIG 1 a\n[GNUPG:] VALIDSIG AB 2 3 CD", 0, ""),
        ("[GNUPG:] GOODSIG 1 a\n[GNUPG:] VALIDSIG AB 2 3 CD", 1, "the signature cannot be checked"),
        ("[GNUPG:] GOODSIG 1 a", 0, "the signature cannot be checked"),
        ("[GNUPG:] EXPKEYSIG 1 a\n[GNUPG:] VALIDSIG AB 2 3 CD", 0, "the key has expired"),
        ("[GNUPG:] REVKEYSIG 1 a", 0, "the key was revoked"),
        ("[GNUPG:] NO_PUBKEY 1", 2, "signed with a key that is not in the keyring"),
        ("", 0, "the signature cannot be checked"),
    ],
)
def test_status_lines(status: str, code: int, why: str) -> None:
    assert signed.signer(status, code).why == why
