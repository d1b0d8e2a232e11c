"""What tables say, by command: postmap -q."""

from pathlib import Path

import pytest

from quintet.admin.cli.common import Exit
from tests.support.server import configured, write_config
from tests.support.shell import Shell

ACCESS = "mallory@bad.test REJECT 5.7.9 not you\nbad.test 450 later\n/^spam-(.*)@/ REJECT no $1\n<> OK\n"
CLIENTS = "192.0.2.0/24 DISCARD\n.dyn.test REJECT\n10 OK\n"
TRANSPORT = "a.test smtp:[relay.test]:2525\n/^x(.*)@b/ error:5.1.1 no $1\nc.test slow:\n"


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    files = {
        "access": ACCESS,
        "clients": CLIENTS,
        "transport": TRANSPORT,
        "relay": "@a.test [out.test]:587\n",
        "canonical": "old@a.test new@a.test\n",
        "header": "/^Subject: .*(pills)/ REJECT no $1\n",
        "body": "/^TVqQ/ REJECT no programs\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def at(name: str) -> str:
        return str(tmp_path / name)

    routes = {
        "table": {"table": at("transport")},
        "relay": {"table": at("relay"), "table_of": "sender"},
        "slow": {"via": "smtp", "host": "slow.test"},
    }
    policy = {
        "access": [{"of": "sender", "file": at("access")}, {"file": at("clients")}],
        "content": {"header_checks": at("header"), "body_checks": at("body")},
    }
    rewrite = {"canonical_file": at("canonical"), "generic": {"@a.test": "@out.test"}}
    write_config(
        tmp_path, configured(tmp_path, {"queue": {"routes": routes}, "policy": policy, "rewrite": rewrite})
    )
    made = Shell(tmp_path, capsys)
    made("account", "add", "zoe@example.org", "--password", "pw")
    made("alias", "add", "both@example.org", "zoe@example.org, x@far.example")
    return made


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mallory@bad.test"], {"policy.access.0 (sender)": "REJECT 550 5.7.9 not you"}),
        (["eve@sub.bad.test"], {"policy.access.0 (sender)": "DEFER 450 4.7.1 later"}),
        (["spam-one@x.test"], {"policy.access.0 (sender)": "REJECT 550 5.7.1 no one"}),
        (["<>"], {"policy.access.0 (sender)": "OK"}),
        (["192.0.2.7"], {"policy.access.1 (client)": "DISCARD"}),
        (["198.51.100.1", "--name", "a.dyn.test"], {"policy.access.1 (client)": "REJECT 550 5.7.1"}),
        (["a.dyn.test"], {"policy.access.1 (client)": "REJECT 550 5.7.1"}),
        (["10.1.2.3"], {"policy.access.1 (client)": "OK"}),
        (["a.test"], {"queue.routes.table.table": "smtp relay.test:2525"}),
        (["u@c.test"], {"queue.routes.table.table": "route slow"}),
        (["xy@b.test"], {"queue.routes.table.table": "error 5.1.1 no y"}),
        (
            ["old@a.test"],
            {
                "queue.routes.table.table": "smtp relay.test:2525",
                "queue.routes.relay.table": "smtp out.test:587",
                "rewrite.canonical_file": "new@a.test",
                "rewrite.generic": "old@out.test",
            },
        ),
        (["old@a.test", "--table", "rewrite.c"], {"rewrite.canonical_file": "new@a.test"}),
        (["both@example.org"], {"alias": "forward zoe@example.org, x@far.example"}),
        (["zoe+news@example.org"], {"alias": "primary zoe@example.org"}),
        (["Subject: cheap pills"], {"policy.content.header_checks": "REJECT 550 5.7.1 no pills"}),
        (["TVqQAAMA", "--line"], {"policy.content.body_checks": "REJECT 550 5.7.1 no programs"}),
    ],
)
def test_what_tables_say(shell: Shell, arguments: list[str], says: dict[str, str]) -> None:
    rows = shell.json("policy", "query", *arguments)
    found = {row["table"]: row["says"] for row in rows}
    assert found == says


def test_nothing_is_said(shell: Shell) -> None:
    """As with postmap, the exit code tells."""
    assert "no table says anything of u@z.test" in shell("policy", "query", "u@z.test", code=Exit.REFUSED)
    shell("policy", "query", "u@z.test", "--table", "policy.acess", code=Exit.REFUSED)
    assert "no table 'policy.acess' is asked about 'u@z.test'" in shell.err


def test_what_is_wrong_with_a_file_is_told(shell: Shell) -> None:
    (shell.folder / "access").write_text("bad.test GREET\n")
    shell("policy", "query", "u@z.test", code=Exit.CONFIG)
    assert "line 1: bad.test: no such action: GREET" in shell.err
    (shell.folder / "access").unlink()
    shell("policy", "query", "u@z.test", code=Exit.CONFIG)
    assert "cannot be read: No such file" in shell.err
