"""Who asks: MS-OXCMAPIHTTP R35, R36, R1331; RFC 7617, RFC 6750, RFC 4559, MS-NLMP."""

from __future__ import annotations

import base64
import dataclasses
import time
from pathlib import Path

import jwt
import pytest
import spnego

from quintet.auth import ntlm, passwords, vault
from quintet.config.auth import Auth
from quintet.config.mapi import Mapi
from quintet.errors import BadSyntax
from quintet.mapi.http import entrance
from quintet.net.seam import Peer
from tests.unit.mapi.http.house import FAST, Client, House, basic, house

NTLM = dataclasses.replace(FAST, ntlm=True)


async def _offered(it: House) -> list[str]:
    async with it.client(None) as client, client.http.post(client.base + "/mapi/toy") as response:
        assert response.status == 401
        return response.headers.getall("WWW-Authenticate")


async def test_what_is_offered(tmp_path: Path) -> None:
    """R35, R36, R1331: nothing for anonymous clients; only what can work is offered."""
    async with house(tmp_path) as it:
        assert await _offered(it) == ['Basic realm="Quintet", charset="UTF-8"']


async def test_ntlm_is_offered_where_its_hashes_are_kept(tmp_path: Path) -> None:
    async with house(tmp_path, auth=NTLM) as it:
        assert await _offered(it) == ["Negotiate", "NTLM", 'Basic realm="Quintet", charset="UTF-8"']


@pytest.mark.parametrize(
    "header, status",
    [
        (basic(), 200),
        (basic("ALICE"), 200),
        (basic("EXAMPLE\\alice"), 200),
        (basic(secret="wrong"), 401),
        (basic("nobody"), 401),
        ("Basic !!", 401),
        ("Basic", 401),
        ("Basic " + base64.b64encode(b"nocolon").decode(), 401),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), 401),
        ("NTLM TlRMTVNTUAABAAAA", 401),  # not offered
        ("Digest x", 401),
    ],
)
async def test_basic(tmp_path: Path, header: str, status: int) -> None:
    async with house(tmp_path, auth=dataclasses.replace(FAST, free_failures=100)) as it:
        async with it.client(header) as client:
            assert (await client.post("PING")).status == status


async def test_secrets_cross_only_protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TLS and not from this machine nothing readable is taken or offered; ``cleartext`` allows it."""
    monkeypatch.setattr(entrance, "peer_of", lambda request: Peer("1", "192.0.2.7"))
    async with house(tmp_path) as it, it.client() as client:
        assert (await client.post("PING")).status == 403
        it.auth.reload(dataclasses.replace(FAST, cleartext="always"))
        assert (await client.post("PING")).status == 200


async def test_bearer(tmp_path: Path) -> None:
    secret = tmp_path / "shared"
    secret.write_bytes(b"s" * 32)
    auth = dataclasses.replace(FAST, token_keys=(f"hs256:{secret}",), free_failures=100)
    claims = {"email": "bob@example.org", "exp": time.time() + 60}
    good = jwt.encode(claims, b"s" * 32, "HS256")
    late = jwt.encode({**claims, "exp": time.time() - 600}, b"s" * 32, "HS256")
    stranger = jwt.encode({**claims, "email": "eve@example.org"}, b"s" * 32, "HS256")
    async with house(tmp_path, auth=auth) as it:
        assert 'Bearer realm="Quintet"' in await _offered(it)
        for token, status in ((good, 200), (late, 401), (stranger, 401), ("nonsense", 401)):
            async with it.client(f"Bearer {token}") as client:
                assert (await client.post("PING")).status == status


async def _talk(client: Client, protocol: str, name: str, secret: str) -> list[int]:
    """The statuses of an exchange, and of one more request on its connection."""
    context = spnego.client(name, secret, protocol=protocol, service="http", hostname="mail.example.org")
    word = "NTLM" if protocol == "ntlm" else "Negotiate"
    token, statuses = context.step(), []
    while token:
        given = f"{word} {base64.b64encode(token).decode()}"
        headers = client.headers("PING", Authorization=given)
        async with client.http.post(client.base + "/mapi/toy", headers=headers) as response:
            statuses.append(response.status)
            offer = response.headers.get("WWW-Authenticate", "")
            if response.status != 401 or not offer.startswith(f"{word} "):
                break
            token = context.step(base64.b64decode(offer.partition(" ")[2]))
    async with client.http.post(client.base + "/mapi/toy", headers=client.headers("PING")) as response:
        statuses.append(response.status)
    return statuses


@pytest.mark.parametrize("protocol", ["ntlm", "negotiate"])
@pytest.mark.parametrize(
    "name, secret, last",
    [
        ("alice@example.org", "demo", 200),
        ("EXAMPLE\\alice", "demo", 200),
        ("example.org\\alice", "demo", 200),
        ("alice@example.org", "Demo", 401),
        ("nobody@example.org", "demo", 401),
    ],
)
async def test_ntlm(tmp_path: Path, protocol: str, name: str, secret: str, last: int) -> None:
    """MS-NLMP 3.3.2 with pyspnego's client; the connection then stays authenticated, as with IIS."""
    async with house(tmp_path, auth=NTLM) as it, it.client(None) as client:
        assert await _talk(client, protocol, name, secret) == [401, last, last]


async def test_ntlm_takes_no_other_connection_along(tmp_path: Path) -> None:
    async with house(tmp_path, auth=NTLM) as it, it.client(None) as client, it.client(None) as other:
        assert (await _talk(client, "ntlm", "alice@example.org", "demo"))[-1] == 200
        assert (await other.post("PING")).status == 401


async def test_hashes_are_kept_only_where_wanted(tmp_path: Path) -> None:
    """docs/decisions/0121: turned on, a login by password adds the hash; turned off, one removes it."""
    async with house(tmp_path) as it, it.client() as client:

        async def kept() -> bool:
            await it.auth.settle()
            found = it.store.peek(vault.lookup, "alice@example.org")
            return bool(found and found.of_kind(passwords.NT))

        forgetful = dataclasses.replace(FAST, remember_s=0)
        it.auth.reload(forgetful)
        await client.post("PING")
        assert not await kept()
        it.auth.reload(dataclasses.replace(forgetful, ntlm=True))
        await client.post("PING")
        assert await kept()
        it.auth.reload(forgetful)
        await client.post("PING")
        assert not await kept()


def test_vector_of_the_specification() -> None:
    """MS-NLMP 4.2.2.1.2: NTOWFv1("Password")."""
    assert ntlm.nt_hash("Password") == "a4f49c406510bdcab6824ee7c30fd852"


@pytest.mark.parametrize(
    "token", [b"", b"NTLMSSP\0", b"NTLMSSP\0\1\0\0\0", b"\x60\x82", b"NTLMSSP\0\3\0\0\0" + b"\xff" * 80]
)
def test_nonsense_is_bad_syntax(token: bytes) -> None:
    with pytest.raises(BadSyntax):
        ntlm.Server("00" * 8, "mail.example.org").step(token)


async def test_logins_can_be_chosen(tmp_path: Path) -> None:
    async with house(tmp_path, Mapi(logins=("ntlm",)), auth=NTLM) as it:
        assert await _offered(it) == ["NTLM"]


def test_unknown_words_are_told() -> None:
    assert Mapi(logins=("digest",)).faults()
    assert not Mapi().faults()
    assert Mapi(url="ftp://x").faults()
    assert not Auth().faults()
