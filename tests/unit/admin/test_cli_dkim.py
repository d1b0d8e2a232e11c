"""`quintet dkim`: a key is made, its block written, its record shown and looked for."""

from __future__ import annotations

import asyncio
import dataclasses
from functools import partial
from pathlib import Path

import pytest

from quintet.admin.cli import common
from quintet.config import root
from quintet.policy import dkim
from tests.support.dnszone import dns_server
from tests.support.server import configured, write_config
from tests.support.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, configured(tmp_path))
    return Shell(tmp_path, capsys)


def test_a_key_is_made_and_taken_into_use(shell: Shell, tmp_path: Path) -> None:
    made = shell.json("dkim", "make", "Example.ORG", "--selector", "2026a", "--bits", "1024")
    (block,) = root.from_file(tmp_path / "quintet.toml").dkim
    assert (block.domains, block.selector) == (("example.org",), "2026a")
    file = Path(block.key)
    assert file == tmp_path / "dkim" / "example.org.2026a.pem"
    assert file.stat().st_mode & 0o027 == 0
    key = dkim.read(file.read_text())
    assert (made["name"], made["record"]) == ("2026a._domainkey.example.org", key.record)
    shell("dkim", "make", "example.org", "--selector", "2026a", code=common.Exit.REFUSED)
    assert "already" in shell.err
    assert dkim.read(file.read_text()).record == key.record


def test_a_second_key_stands_beside_the_first(shell: Shell) -> None:
    shell("dkim", "make", "example.org", "--bits", "1024")
    out = shell("dkim", "make", "example.org", "--kind", "ed25519")
    assert 'e._domainkey.example.org. TXT "v=DKIM1; k=ed25519; p=' in out
    assert [row["kind"] for row in shell.json("dkim", "show")] == ["rsa", "ed25519"]


def test_a_long_record_is_shown_in_strings(shell: Shell) -> None:
    """RFC 1035 3.3.14: 255 octets each."""
    out = shell("dkim", "make", "example.org")
    line = next(each for each in out.splitlines() if " TXT " in each)
    strings = line.partition(" TXT ")[2].strip('"').split('" "')
    assert max(map(len, strings)) <= 255
    assert "".join(strings) == shell.json("dkim", "show")[0]["record"]


@pytest.mark.parametrize(
    "arguments", [("x", "--kind", "dsa"), ("x", "--selector", "a_b"), ("x", "--selector", "../y")]
)
def test_what_cannot_be_made(shell: Shell, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    shell("dkim", "make", *arguments, code=common.Exit.USAGE)
    assert not (tmp_path / "dkim").exists()


def test_a_key_that_cannot_be_read_is_named(shell: Shell, tmp_path: Path) -> None:
    shell("dkim", "make", "example.org", "--selector", "a", "--kind", "ed25519")
    (tmp_path / "dkim" / "example.org.a.pem").write_text("nothing")
    shell("dkim", "show", code=common.Exit.REFUSED)
    assert "example.org.a.pem cannot be used" in shell.err


async def test_whether_the_record_is_there(tmp_path: Path, shell: Shell) -> None:
    names = ("there", "other", "gone")
    make = partial(shell.json, "dkim", "make", "example.org", "--kind", "ed25519", "--selector")
    made = {name: await asyncio.to_thread(make, name) for name in names}
    record, wrong = made["there"]["record"], made["gone"]["record"]
    zone = (
        f'there._domainkey.example.org. TXT "v=DKIM1; h=sha256; " "{record.partition("; ")[2]}"\n'
        f'other._domainkey.example.org. TXT "{wrong}"\n'
    )
    async with dns_server(zone) as server:
        config = root.from_file(tmp_path / "quintet.toml")
        dns = dataclasses.replace(config.dns, nameservers=("127.0.0.1",), port=server.port)
        write_config(tmp_path, dataclasses.replace(config, dns=dns))
        rows = await asyncio.to_thread(shell.json, "dkim", "show", "--check", code=1)
    assert [row["published"] for row in rows] == ["published", "another record is published", "not published"]
