"""The command line: what it shows, what it says when something is wrong, and its exit codes."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
import typer

from quintet.admin import cli
from quintet.admin.cli import common, describe
from quintet.config.route import Route
from quintet.store import migrate
from tests.support.server import configured, write_config
from tests.support.shell import Shell

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, configured(tmp_path))
    return Shell(tmp_path, capsys)


# --- accounts ---------------------------------------------------------------------------------------


def test_account_from_making_to_removing(shell: Shell) -> None:
    assert shell("account", "add", "zoe@example.org", "--password", "pw", "--display-name", "Zoë") == (
        "account zoe@example.org made\n"
    )
    assert shell("account", "list") == (
        "name             display name  kind    messages  used  quota  disabled\n"
        "zoe@example.org  Zoë           person         0  0 B                no\n"
    )
    shell("account", "set", "zoe@example.org", "--quota", "2 GB", "--disabled")
    [row] = shell.json("account", "list")
    assert row["quota_bytes"] == 2 * 1024**3
    assert row["disabled"] is True
    details = shell.json("account", "show", "zoe@example.org")
    assert details["addresses"] == ["zoe@example.org (primary)"]
    assert {each["kind"] for each in details["credentials"]} == {"password", "scram-sha-256", "scram-sha-1"}
    assert "INBOX" in [each["folder"] for each in details["folders"]]
    shell("account", "remove", "zoe@example.org", "--yes")
    assert shell("account", "list") == "nothing here\n"


def test_removing_asks_and_without_an_answer_nothing_is_removed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    shell("account", "add", "zoe@example.org", "--password", "pw")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    shell("account", "remove", "zoe@example.org", code=common.Exit.REFUSED)
    assert "quintet: nothing was removed\n" in shell.err
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    shell("account", "remove", "zoe@example.org", code=common.Exit.USAGE)
    assert "quintet: nobody is here to answer\n  --yes does it without asking.\n" in shell.err
    assert len(shell.json("account", "list")) == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    shell("account", "remove", "zoe@example.org")
    assert shell.json("account", "list") == []


def test_a_command_that_is_interrupted_says_so(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from quintet.store import accounts

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(accounts, "listing", interrupted)
    shell("account", "list", code=common.Exit.INTERRUPTED)
    assert shell.err == "quintet: interrupted\n"
    said = json.loads(shell("account", "list", "--json", code=common.Exit.INTERRUPTED))
    assert said == {"error": ["interrupted"], "hint": "", "exit": 130}


def test_passwords_are_never_shown(shell: Shell) -> None:
    shell("account", "add", "zoe@example.org", "--password", "correct horse")
    assert "correct" not in shell("account", "show", "zoe@example.org") + shell(
        "account", "show", "zoe@example.org", "--json"
    )


def test_password_can_be_read_from_standard_input(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
    shell("account", "add", "zoe@example.org", "--password", "-")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    shell("account", "set-password", "zoe@example.org", "--password", "-", code=common.Exit.USAGE)
    assert "the password is empty" in shell.err


def test_password_that_nobody_gave_is_made_up_and_told_once(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    made = shell.json("account", "add", "zoe@example.org")
    assert len(made["password"]) > 15


def test_app_password_is_shown_once_and_can_be_taken_away(shell: Shell) -> None:
    shell("account", "add", "zoe@example.org", "--password", "pw")
    made = shell.json(
        "account", "app-password", "zoe@example.org", "phone", "--scope", "imap", "--days", "30"
    )
    assert len(made["password"]) > 15
    kinds = [each for each in shell.json("account", "show", "zoe@example.org")["credentials"] if each["name"]]
    assert {each["name"] for each in kinds} == {"phone"}
    assert all(each["scopes"] == ["imap"] and each["expires"] for each in kinds)
    shell("account", "app-password", "zoe@example.org", "phone", "--remove")
    shell("account", "app-password", "zoe@example.org", "phone", "--remove", code=1)
    assert "has no app password 'phone'" in shell.err


def test_load_makes_accounts_and_changes_passwords(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    file.write_text("# comment\n\na@one.example\tpw\nb@two.example\tpw\n")
    assert shell("account", "load", str(file)) == "2 accounts made, 0 given a new password, 0 refused\n"
    assert shell("account", "load", str(file)) == "0 accounts made, 2 given a new password, 0 refused\n"
    assert [each["domain"] for each in shell.json("domain", "list")] == ["one.example", "two.example"]


def test_load_names_the_line_that_is_wrong(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    file.write_text("a@one.example\tpw\nb@two.example pw\n")
    shell("account", "load", str(file), code=1)
    assert f"{file}:2: expected address TAB password" in shell.err
    assert shell.json("account", "list") == []


def test_load_refuses_hashes_that_it_does_not_know(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "list.tsv"
    file.write_text("yve@example.org\t{CRYPT}$y$j9T$salt$hash\nzed@example.org\t{plain text\n")
    shell("account", "load", str(file), code=common.Exit.REFUSED)
    assert "yve@example.org: password hash of an unknown form" in shell.err
    names = {row["name"] for row in shell.json("account", "list")}
    assert "zed@example.org" in names
    assert "yve@example.org" not in names, "the hash itself would be the password"


@pytest.mark.slow
def test_a_thousand_accounts_load_within_ten_seconds(shell: Shell, tmp_path: Path) -> None:
    import time

    config = configured(
        tmp_path, {"auth": {"scram_iterations": 10_000, "argon2_memory": 19456}, "store": {"sync": "full"}}
    )
    write_config(tmp_path, config)
    file = tmp_path / "list.tsv"
    file.write_text("".join(f"user{n}@example.org\tsecret {n}\n" for n in range(1000)))
    began = time.process_time()
    shell("account", "load", str(file))
    taken = time.process_time() - began  # of one core, as other tests run beside this one
    assert len(shell.json("account", "list")) == 1000
    assert taken < 10, f"{taken:.1f} s"


def test_unknown_account_is_told_with_a_next_step(shell: Shell) -> None:
    shell("account", "show", "nobody@example.org", code=1)
    assert shell.err == (
        "quintet: no such account: nobody@example.org\n  `quintet account list` shows who is there.\n"
    )


def test_account_that_is_there_is_not_made_again(shell: Shell) -> None:
    shell("account", "add", "zoe@example.org", "--password", "pw")
    shell("account", "add", "ZOE@example.org", "--password", "pw", code=1)
    assert "already exists" in shell.err


# --- domains, aliases, groups, queue ----------------------------------------------------------------


def test_domains(shell: Shell) -> None:
    shell("domain", "add", "example.org")
    shell("domain", "add", "Bücher.example")
    assert [each["domain"] for each in shell.json("domain", "list")] == [
        "example.org",
        "xn--bcher-kva.example",
    ]
    shell("account", "add", "zoe@example.org", "--password", "pw")
    shell("domain", "remove", "example.org", code=1)
    assert "still has 1 addresses" in shell.err
    shell("account", "remove", "zoe@example.org", "-y")
    shell("domain", "remove", "example.org")


def test_aliases_of_every_kind(shell: Shell) -> None:
    shell("account", "add", "zoe@example.org", "--password", "pw")
    shell("group", "add", "local.test")
    assert (
        shell("alias", "add", "z@example.org", "zoe@example.org")
        == "z@example.org goes to zoe@example.org (alias)\n"
    )
    assert shell.json("alias", "add", "out@example.org", "a@b.example,c@d.example")["kind"] == "forward"
    assert shell.json("alias", "add", "news@example.org", "group:local.test")["kind"] == "group"
    assert shell.json("alias", "add", "@example.org", "zoe@example.org")["kind"] == "alias"
    kinds = {each["address"]: each["kind"] for each in shell.json("alias", "list")}
    assert kinds["@example.org"] == "catchall"
    assert shell("alias", "add", "z@example.org", "x@far.example") == (
        "z@example.org goes to x@far.example (forward), no longer to zoe@example.org\n"
    )
    shell("alias", "add", "zoe@example.org", "x@far.example", code=1)  # her mailbox would lose its address
    assert "own address of zoe@example.org" in shell.err
    shell("alias", "remove", "z@example.org")
    shell("alias", "remove", "z@example.org", code=1)
    shell("alias", "add", "x@example.org", "nobody", code=1)
    assert "neither an account here nor an address" in shell.err
    shell("alias", "add", "x@example.org", "group:absent", code=1)
    shell("alias", "add", "x@elsewhere.example", "zoe@example.org", code=1)
    assert "`quintet domain add NAME`" in shell.err


def test_groups(shell: Shell) -> None:
    shell("group", "add", "local.test", "--description", "Tests")
    shell("group", "add", "local.announce", "--moderator", "alice@example.org")
    assert shell("group", "list") == (
        "group           posting    articles  low  high  description\n"
        "local.announce  moderated         0    1     0\n"
        "local.test      open              0    1     0  Tests\n"
    )
    changed = shell.json("group", "set", "local.test", "--posting", "closed", "--max-articles", "10")
    assert changed["posting"] == "closed"
    assert changed["max_articles"] == 10
    shell("group", "set", "local.test", "--posting", "maybe", code=common.Exit.USAGE)
    shell("group", "remove", "local.test", "--yes")
    shell("group", "remove", "local.test", "--yes", code=1)
    assert shell.err.startswith("quintet: no such folder: local.test\n")


ALIASES = """\
# aliases(5)
postmaster: root
root:       zoe
both:       zoe,  "x@far.example",
            y@far.example
prog:       "|/usr/bin/vacation zoe"
file:       /var/mail/x
listed:     :include:/etc/list
zoe:        \\\\zoe
nonsense
"""

VIRTUAL = """\
# virtual(5)
example.org       anything
info@example.org  zoe@example.org
@example.org      zoe
away@gone.example x@far.example
"""


def test_alias_load_takes_tables_of_other_servers(shell: Shell) -> None:
    shell("account", "add", "zoe@example.org", "--password", "pw")
    path = shell.folder / "aliases"
    path.write_text(ALIASES)
    assert shell("alias", "load", str(path), "--domain", "example.org", code=1) == (
        "3 aliases added, 5 left out\n"
    )
    assert shell.err.splitlines()[:5] == [
        "  line 6: prog@example.org: programs, files and :include: are no addresses",
        "  line 7: file@example.org: programs, files and :include: are no addresses",
        "  line 8: listed@example.org: programs, files and :include: are no addresses",
        "  line 9: zoe@example.org: zoe@example.org is the own address of zoe@example.org",
        "  line 10: nonsense: neither NAME: TARGET nor ADDRESS TARGET",
    ]
    path.write_text(VIRTUAL)
    assert shell("alias", "load", str(path), "--domain", "example.org", code=1) == (
        "2 aliases added, 1 left out\n"
    )
    assert "line 5: away@gone.example: no such domain: gone.example" in shell.err
    path.write_text("/^info-(.*)@example.org$/  zoe+$1@example.org\n")
    shell("alias", "load", str(path), code=1)
    assert "line 1: /^info-(.*)@example.org$/: expressions are no addresses" in shell.err
    file = shell.folder / "quintet.toml"
    file.write_text(file.read_text().replace('default_domain = "example.org"', 'default_domain = ""'))
    path.write_text("info2@example.org zoe\n")
    shell("alias", "load", str(path), code=common.Exit.USAGE)
    assert "names of which domain?" in shell.err
    path.write_text("info@example.org zoe@example.org\n")  # nothing is asked where nothing is bare
    assert shell("alias", "load", str(path)) == "1 aliases added, 0 left out\n"
    rows = {each["address"]: (each["kind"], each["target"]) for each in shell.json("alias", "list")}
    assert rows == {
        "@example.org": ("catchall", "zoe@example.org"),
        "both@example.org": ("forward", "zoe@example.org, x@far.example, y@far.example"),
        "info@example.org": ("alias", "zoe@example.org"),
        "postmaster@example.org": ("forward", "root@example.org"),
        "root@example.org": ("alias", "zoe@example.org"),
        "zoe@example.org": ("primary", "zoe@example.org"),
    }


def test_alias_may_say_where_somebody_has_moved(shell: Shell, tmp_path: Path) -> None:
    shell("domain", "add", "example.org")
    told = shell("alias", "add", "old@example.org", "moved:new@far.example")
    assert told == "old@example.org goes to moved:new@far.example (moved)\n"
    shell("alias", "add", "bad@example.org", "moved:far", code=1)
    table = tmp_path / "relocated"
    table.write_text("al@example.org  al@far.example\n@example.org @far.example\n")
    assert shell("alias", "load", "--moved", str(table)) == "2 aliases added, 0 left out\n"
    rows = {each["address"]: (each["kind"], each["target"]) for each in shell.json("alias", "list")}
    assert rows == {
        "@example.org": ("catchall", "moved:@far.example"),
        "al@example.org": ("moved", "moved:al@far.example"),
        "old@example.org": ("moved", "moved:new@far.example"),
    }


def test_queue_from_list_to_removal(shell: Shell) -> None:
    from quintet.store import queue
    from quintet.store.content import content_of

    letter = content_of(b"Message-ID: <q1@example.org>\r\nSubject: x\r\n\r\nbody\r\n")
    to = [queue.To("a@far.example"), queue.To("b@far.example"), queue.To("c@near.example")]

    async def put(store: Any, _: Any) -> int:
        return await store.write(queue.put, queue.QueueItem(letter, "zoe@example.org"), to)

    number = common.with_store(shell.folder, put)
    rows = shell.json("queue", "list")
    assert [each["recipient"] for each in rows] == ["a@far.example", "b@far.example", "c@near.example"]
    assert {each["message"] for each in rows} == {number}
    shown = shell.json("queue", "show", str(rows[0]["number"]))
    assert shown["message_id"] == "<q1@example.org>"
    assert len(shown["recipients"]) == 3
    assert shell("queue", "show", str(rows[0]["number"]), "--text").endswith("Subject: x\n\nbody\n")
    assert shell("queue", "hold", "--match", "NEAR.example") == "1 recipient held\n"
    assert shell("queue", "release", "--match", "zoe@") == "1 recipient released\n"
    assert shell("queue", "hold", str(number)) == "3 recipients held\n"
    assert len(shell.json("queue", "list", "--state", "held")) == 3
    head, first, *rest = shell("queue", "list", "--mailq").splitlines()  # what monitors of Postfix read
    assert head == "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
    words = first.split()
    assert (words[0], words[1], words[-1]) == (f"{number}!", str(letter.size), "zoe@example.org")
    assert [each.strip() for each in rest] == [
        "a@far.example", "b@far.example", "c@near.example",
        "", "-- 0 Kbytes in 1 Request.",
    ]  # fmt: skip
    assert shell("queue", "release", str(rows[0]["number"])) == "1 recipient released\n"
    assert shell("queue", "release", "--all") == "2 recipients released\n"
    assert shell("queue", "retry", "--match", "near") == "1 recipient tried now\n"
    shell("queue", "retry", "--match", "near", "--via", "nowhere", code=common.Exit.USAGE)
    assert shell("queue", "remove", "--match", "near", "--tell", "sorry") == "1 recipient returned\n"
    shell("queue", "remove", "--match", "a@far", "--all", code=common.Exit.USAGE)
    assert shell("queue", "remove", "--match", "a@far") == "1 recipient removed\n"
    assert shell("queue", "remove", str(rows[2]["number"])) == "1 recipient removed\n"
    assert shell("queue", "remove", "--all") == "1 recipient removed\n"
    assert shell("queue", "list") == "the queue is empty\n"
    assert shell("queue", "list", "--mailq") == "Mail queue is empty\n"
    shell("queue", "show", "999", code=1)
    shell("queue", "hold", code=common.Exit.USAGE)
    shell("queue", "list", "--state", "lost", code=common.Exit.USAGE)


def test_config_check_notes_what_no_mail_comes_to(shell: Shell) -> None:
    def check(**routes: Route) -> str:
        write_config(shell.folder, configured(shell.folder, {"queue": {"routes": routes}}))
        return shell("config", "check")

    everything, later = Route(via="discard"), Route(domains=["far.example"], via="discard")
    assert "note:" not in check(later=later, everything=everything)
    assert (
        "note: queue.routes.later: no mail comes to it but by name: "
        "everything stands before it and takes all of it\n"
    ) in check(everything=everything, later=later)
    (note,) = shell.json("config", "check")["notes"]
    assert note.startswith("queue.routes.later: ")


def test_queue_route_tells_where_mail_would_go(shell: Shell) -> None:
    routes = {
        "partner": Route(domains=["far.example"], via="smtp", host="127.0.0.1", port=2525, tls="must"),
        "no": Route(domains=["gone.example"], via="error", text="moved away"),
    }
    rewrite = {"canonical": {"old@example.org": "zoe@example.org"}}
    write_config(shell.folder, configured(shell.folder, {"queue": {"routes": routes}, "rewrite": rewrite}))
    shell("account", "add", "zoe@example.org", "--password", "pw")
    shell("alias", "add", "both@example.org", "zoe@example.org, x@far.example")

    def told(address: str) -> list[tuple[str, ...]]:
        rows = shell.json("queue", "route", address)
        return [tuple(row[name] for name in ("address", "by", "to", "at", "tls")) for row in rows]

    zoe = ("zoe@example.org", "mailbox", "zoe@example.org/INBOX", "", "")
    assert told("old@example.org") == [zoe]
    assert told("zoe@example.org") == [zoe]
    assert told("both@example.org") == [
        zoe, ("x@far.example", "route partner (smtp)", "127.0.0.1", "127.0.0.1:2525", "must (route)"),
    ]  # fmt: skip
    assert told("y@gone.example") == [("y@gone.example", "route no (error)", "moved away", "", "")]
    assert told("none@example.org") == [
        ("none@example.org", "refused", "550 5.1.1 No such user here", "", "")
    ]
    assert told("a@[192.0.2.1]") == [("a@[192.0.2.1]", "mx", "192.0.2.1", "192.0.2.1:25", "may (default)")]


# --- configuration and server -----------------------------------------------------------------------


def test_init_writes_a_file_that_can_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert cli.run(["init", str(folder), "--hostname", "mx.example.org"]) == 0
    assert f"quintet serve -c {folder / 'quintet.toml'}" in capsys.readouterr().out
    assert cli.run(["config", "check", "-c", str(folder)]) == 0
    assert cli.run(["init", str(folder)]) == common.Exit.REFUSED
    assert "is there already" in capsys.readouterr().err
    assert cli.run(["init", str(folder), "--force"]) == 0


def test_config_errors_name_file_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "quintet.toml"
    path.write_text("[server]\nworkers = 'four'\n\n[smtp]\nmax_hop = 3\n")
    assert cli.run(["serve", "-c", str(path)]) == common.Exit.CONFIG
    err = capsys.readouterr().err
    assert f"quintet: {path}:2: server.workers: expected a whole number (processes), got 'four'\n" in err
    assert f"quintet: {path}:5: smtp.max_hop: no such option; did you mean 'max_hops'?\n" in err


def test_missing_configuration_says_where_it_was_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.setattr(common, "PLACES", ("quintet.toml",))
    assert cli.run(["account", "list"]) == common.Exit.CONFIG
    assert "no configuration: looked for quintet.toml" in capsys.readouterr().err
    assert cli.run(["account", "list", "-c", "absent.toml"]) == common.Exit.CONFIG
    assert "`quintet init DIR` makes one." in capsys.readouterr().err
    monkeypatch.setenv("QUINTET_CONFIG", "elsewhere.toml")
    assert cli.run(["account", "list"]) == common.Exit.CONFIG
    assert "elsewhere.toml" in capsys.readouterr().err


def test_config_check_tries_what_the_file_names(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "quintet.toml"
    path.write_text('[server]\nuser = "nobody-here"\n')
    shell("config", "check", code=common.Exit.CONFIG)
    assert "server.user: there is no user 'nobody-here'" in shell.err
    path.write_text('[[tls.certificates]]\ncertificate = "absent.pem"\n')
    shell("config", "check", code=common.Exit.CONFIG)
    assert "absent.pem" in shell.err


def test_config_check_reads_the_tables_that_the_file_names(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "clients").write_text("192.0.2.1 OK\n192.0.2.2 REJCT\n")
    (tmp_path / "header").write_text("/x/ IGNORE\n/y/ OK\n")
    more = (
        '[[policy.access]]\nfile = "clients"\n'
        '[policy.content]\nheader_checks = "header"\nbody_checks = "nowhere"\n'
        '[rewrite]\ngeneric_file = "nowhere"\n[policy]\nhooks = "nowhere"\n'
    )
    file = tmp_path / "quintet.toml"
    file.write_text(more)
    shell("config", "check", code=common.Exit.CONFIG)
    said = shell.err.replace(f"{tmp_path}/", "")
    for line in (
        "policy.access.0.file: clients: line 2: 192.0.2.2: no such action: REJCT",
        "policy.content.header_checks: header: line 2: no such action: OK",
        "policy.content.body_checks: nowhere cannot be read: No such file or directory",
        "rewrite.generic_file: nowhere cannot be read",
        "policy.hooks: nowhere: No such file",
    ):
        assert line in said
    for name, text in (("clients", "192.0.2.1 OK"), ("header", "/x/ IGNORE"), ("nowhere", "/x/ IGNORE")):
        (tmp_path / name).write_text(text)
    file.write_text(file.read_text().replace('hooks = "nowhere"', "").replace('generic_file = "nowhere"', ""))
    shell("config", "check")


def test_config_show_and_describe(shell: Shell) -> None:
    assert 'hostname = "mail.example.org"' in shell("config", "show")
    assert shell.json("config", "show")["server"]["hostname"] == "mail.example.org"
    assert cli.run(["config", "describe", "server.workers"]) == 0
    assert "processes" in shell._capsys.readouterr().out
    assert cli.run(["config", "describe", "smtp", "--json"]) == 0
    assert len(json.loads(shell._capsys.readouterr().out)) > 5
    assert cli.run(["config", "describe", "smpt"]) == 1
    assert "no such option or section: smpt" in shell._capsys.readouterr().err


def test_commands_for_a_running_server_say_when_there_is_none(shell: Shell) -> None:
    assert shell("status", code=common.Exit.LATER) == "not running\n"
    shell("reload", code=common.Exit.LATER)
    assert "no server runs on this data directory" in shell.err


def test_migrate(shell: Shell) -> None:
    shell("migrate", code=1)
    assert "no store here yet" in shell.err
    shell("domain", "list")
    assert shell("migrate", "--rehearse") == "the store is up to date\n"
    assert shell.json("migrate")["steps"] == []


def test_data_of_a_newer_program_is_refused_in_words(shell: Shell, tmp_path: Path) -> None:
    shell("domain", "list")
    with contextlib.closing(apsw.Connection(str(tmp_path / "data" / "quintet.db"))) as connection:
        connection.execute("INSERT INTO migration VALUES (9999, 'future', 1)")
    for command in (["domain", "list"], ["migrate"], ["migrate", "--rehearse"], ["check"]):
        shell(*command, code=common.Exit.REFUSED)
        assert shell.err == (
            f"quintet: the data has schema 9999, this program knows {migrate.steps()[-1][0]}\n"
            "  Use a newer Quintet for this data.\n"
        )
    done = subprocess.run(
        [sys.executable, "-m", "quintet", "serve", "-c", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == common.Exit.REFUSED
    assert done.stderr == f"quintet: the data has schema 9999, this program knows {migrate.steps()[-1][0]}\n"


def test_rehearsal_that_fails_is_told_and_changes_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("domain", "list")
    real = migrate.steps()
    monkeypatch.setattr(migrate, "steps", lambda: [*real, (9998, "bad", "CREATE TABLE domain (x INTEGER)")])
    shell("migrate", "--rehearse", code=common.Exit.REFUSED)
    assert "the rehearsal failed: " in shell.err
    monkeypatch.setattr(migrate, "steps", lambda: real)
    assert shell("migrate") == "the store is up to date\n"


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, each in below.items():
        yield from _leaves(each, (*path, name))


def test_no_help_text_has_words_that_are_taken_for_markup() -> None:
    """What stands in brackets is not shown."""
    commands = list(_leaves(typer.main.get_command(cli.build())))
    texts = [
        text
        for _, one in commands
        for text in (one.help, *(getattr(each, "help", "") for each in one.params))
    ]
    assert len(texts) > 200
    assert [text for text in texts if re.search(r"\[[a-z/\[]", text or "")] == []


def test_every_command_but_the_servers_answers_in_json(shell: Shell) -> None:
    commands = dict(_leaves(typer.main.get_command(cli.build())))
    assert len(commands) > 35
    without = {
        path for path, each in commands.items() if not any("--json" in one.opts for one in each.params)
    }
    assert without == {("demo",), ("imap",), ("serve",), ("sendmail",)}
    for path, each in commands.items():  # whatever needs no more words gives one document
        if any(one.required for one in each.params) or path in without or path[0] in ("restore", "backup"):
            continue
        if path == ("import", "inn"):
            continue  # it reads the INN of this machine (`test_transfer_inn`)
        options = (
            []
            if path in {("init",), ("config", "describe")} or path[0] == "mapi"
            else ["-c", str(shell.folder)]
        )
        cli.run([*path, *options, "--json"])
        out = shell._capsys.readouterr()
        assert out.out, (path, out.err)
        json.loads(out.out)
        assert out.err == "", path


def test_errors_are_json_too_when_json_is_asked_for(shell: Shell, tmp_path: Path) -> None:
    told = json.loads(shell("account", "show", "nobody", "--json", code=common.Exit.REFUSED))
    assert told == {
        "error": ["no such account: nobody"],
        "hint": "`quintet account list` shows who is there.",
        "exit": 1,
    }
    (tmp_path / "quintet.toml").write_text("[server]\nworkers = 'four'\nuser = 1\n")
    told = json.loads(shell("config", "check", "--json", code=common.Exit.CONFIG))
    assert [line.split(": ")[1] for line in told["error"]] == ["server.workers", "server.user"]
    assert shell.err == ""


def test_quotas_are_set_when_made_and_changed_later(shell: Shell) -> None:
    shell("account", "add", "zoe@example.org", "--password", "pw", "--quota", "1 MB", "--messages", "7")
    [row] = shell.json("account", "list")
    assert (row["quota_bytes"], row["quota_messages"]) == (1024**2, 7)
    shell("account", "set", "zoe@example.org", "--quota", "0", "--messages", "0")
    [row] = shell.json("account", "list")
    assert (row["quota_bytes"], row["quota_messages"]) == (0, 0)
    made = shell.json("group", "add", "local.test", "--quota", "2 MB", "--max-articles", "9")
    assert (made["quota_bytes"], made["max_articles"]) == (2 * 1024**2, 9)
    changed = shell.json("group", "set", "local.test", "--quota", "0")
    assert (changed["quota_bytes"], changed["max_articles"]) == (0, 9)
    shell("group", "set", "local.test", "--quota", "much", code=common.Exit.USAGE)
    assert "'much' is no size" in shell.err


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["account", "dance"]) == common.Exit.USAGE
    assert "No such command" in capsys.readouterr().err
    assert cli.run(["dance"]) == common.Exit.USAGE
    assert cli.run(["account", "add"]) == common.Exit.USAGE


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from quintet import __version__

    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"quintet {__version__}\n"


def test_demo_says_which_port_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        base = port - 25
        assert cli.run(["demo", "--data", str(tmp_path / "d"), "--port-base", str(base)]) == common.Exit.LATER
    err = capsys.readouterr().err
    assert f"cannot listen on 127.0.0.1 port {port} (smtp): Address already in use" in err
    assert "--port-base" in err
    assert not (tmp_path / "d").exists()


# --- what is generated ------------------------------------------------------------------------------


def test_page_of_the_documentation_is_current() -> None:
    page = ROOT / "docs" / "cli.md"
    assert page.read_text(encoding="utf-8") == describe.markdown(), "stale: run `make docs`"


def test_every_command_that_shows_something_knows_json() -> None:
    without = [
        path
        for path, command in describe._commands()
        if "--json" not in {name for each in command.params for name in each.opts}
    ]
    # sendmail has the options that programs know, imap speaks its protocol
    assert set(without) <= {"demo", "imap", "sendmail", "serve"}


def test_help_comes_without_what_commands_need() -> None:
    heavy = {
        "quintet.store.store",
        "apsw",
        "asyncio",
        "aiohttp",
        "quintet.app",
        "acme",
        "cryptography",
        "ssl",
    }
    script = (
        f"import sys\nfrom quintet.admin import cli\ncli.build()\nprint(sorted({heavy!r} & set(sys.modules)))"
    )
    got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert got.stdout == "[]\n"


def test_a_named_command_loads_only_its_own_file() -> None:
    script = (
        "import sys\nfrom quintet.admin import cli\ncli.build(only='domain')\n"
        "print([m for m in sys.modules if m.startswith('quintet.admin.cli.')])"
    )
    got = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "accounts" not in got.stdout
    assert "domains" in got.stdout


def test_queue_rules_suppression_and_top(shell: Shell) -> None:
    from quintet.store import queue
    from quintet.store.content import content_of

    letter = content_of(b"Subject: x\r\n\r\nx\r\n")
    to = [queue.To("a@far.example"), queue.To("b@far.example"), queue.To("c@near.example")]

    async def put(store: Any, _: Any) -> int:
        return await store.write(queue.put, queue.QueueItem(letter, "zoe@example.org"), to)

    common.with_store(shell.folder, put)
    assert shell("queue", "hold", "--rule", "recipient=@far.example", "--reason", "ask first").endswith(
        "2 recipients held\n"
    )
    rule = shell.json("queue", "rules")[0]
    assert (rule["holds"], rule["reason"]) == ("recipient=@far.example", "ask first")
    assert {row["last_error"] for row in shell.json("queue", "list", "--state", "held")} == {"ask first"}
    assert shell("queue", "rules", "--drop", str(rule["number"])) == "no mail is held by a rule\n"
    shell("queue", "rules", "--drop", "1", code=1)
    shell("queue", "hold", "--rule", "colour=red", code=common.Exit.USAGE)
    shell("queue", "hold", "--rule", "nothing", code=common.Exit.USAGE)
    assert [row["domain"] for row in shell.json("queue", "top")] == ["far.example", "near.example"]
    assert len(shell.json("queue", "list", "--domain", "far.example", "--limit", "1")) == 1
    assert shell("queue", "flush", "near.example") == "0 recipients tried earlier\n"
    found = shell.json("queue", "suppress", "Gone@far.example", "--reason", "complained")
    assert [(row["address"], row["until"]) for row in found] == [("gone@far.example", "for ever")]
    assert shell("queue", "suppress", "gone@far.example", "--allow") == "mail is sent to every address\n"
    shell("queue", "suppress", "gone@far.example", "--allow", code=1)
