"""A configuration file: what it means, and what a mistake in it is told as."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config import describe, lines, load, root
from quintet.config.field import opt
from quintet.config.queue import Queue
from quintet.config.root import Config
from quintet.config.route import Route


def faults(text: str) -> list[str]:
    with pytest.raises(load.ConfigError) as caught:
        root.from_text(text, "q.toml")
    return [str(fault) for fault in caught.value.faults]


def test_empty_file_is_the_default() -> None:
    config = root.from_text("")
    assert config == dataclasses.replace(Config(), store=dataclasses.replace(Config().store, data="data"))
    assert config.listeners["imaps"].port == 993
    assert config.hostname
    assert config.workers >= 1


def test_values_with_units() -> None:
    config = root.from_text(
        '[smtp]\nmax_message_size = "64 KB"\ntimeout_s = "10m"\n'
        '[store]\ntrace_days = "2w"\norphan_age = "1d 2h"\n'
    )
    assert config.smtp.max_message_size == 65536
    assert config.smtp.timeout_s == 600.0
    assert config.store.trace_days == 14
    assert config.store.orphan_age == 26 * 3600


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[smtp\n", "q.toml:1: not valid TOML: Expected ']' at the end of a table declaration"),
        ("[server]\n\nworkrs = 1\n", "q.toml:3: server.workrs: no such option; did you mean 'workers'?"),
        ("[sever]\n", "q.toml:1: sever: no such option; did you mean 'server'?"),
        ("[server]\nworkers = -1\n", "q.toml:2: server.workers: expected at least 0 processes, got -1"),
        ("[server]\nworkers = 1000\n", "q.toml:2: server.workers: expected at most 256 processes, got 1000"),
        (
            "[server]\nworkers = '4'\n",
            "q.toml:2: server.workers: expected a whole number (processes), got '4'",
        ),
        (
            "[server]\nworkers = 1.5\n",
            "q.toml:2: server.workers: expected a whole number (processes), got 1.5",
        ),
        (
            "[server]\nworkers = true\n",
            "q.toml:2: server.workers: expected a whole number (processes), got true",
        ),
        ("server = 3\n", "q.toml:1: server: expected a table ([server]), got 3"),
        (
            "[log]\nlevel = 'loud'\n",
            "q.toml:2: log.level: expected one of 'debug', 'info', 'warning', 'error', got 'loud'",
        ),
        (
            "[log]\nlevels = {smtp = 'debgu'}\n",
            "q.toml:2: log.levels.smtp: expected debug, info, warning or error, got 'debgu'",
        ),
        (
            "[smtp]\nmax_message_size = 'big'\n",
            (
                "q.toml:2: smtp.max_message_size: expected a whole number of bytes, "
                "or a size such as \"50 MB\", got 'big'"
            ),
        ),
        (
            "[smtp]\ntimeout_s = '5 parsecs'\n",
            "q.toml:2: smtp.timeout_s: expected a number (s), or a duration such as \"5m\", got '5 parsecs'",
        ),
        (
            f"[server]\nworkers = 0x{'f' * 5000}\n",
            "q.toml:2: server.workers: expected a whole number (processes), got a number that is too large",
        ),
        (f"[server]\nworkers = {'9' * 5000}\n", "q.toml: not valid TOML: Exceeds the limit"),
        ("[smtp]\nauth_on_mx = 1\n", "q.toml:2: smtp.auth_on_mx: expected true or false, got 1"),
        (
            "[server]\nhostname = 1979-05-27\n",
            "q.toml:2: server.hostname: expected text in quotes, got a date or time",
        ),
        (
            "[auth]\nmechanisms = [\n  'PLAIN',\n  3,\n]\n",
            "q.toml:2: auth.mechanisms.1: expected text in quotes, got 3",
        ),
        (
            "[auth]\nmechanisms = 'PLAIN'\n",
            "q.toml:2: auth.mechanisms: expected a list of text in quotes, got 'PLAIN'",
        ),
        (
            "[[tls.certificates]]\ncertificate = 'a'\n[[tls.certificates]]\n\nkye = 'b'\n",
            "q.toml:5: tls.certificates.1.kye: no such option; did you mean 'key'?",
        ),
        (
            "[[tls.certificates]]\nkey = 'b'\n",
            "q.toml:1: tls.certificates.0: expected a certificate file (option certificate)",
        ),
        (
            "[listeners.a]\nport = 25\n[listeners.b]\nport = 25\n",
            "q.toml:4: listeners.b.port: *:25 is taken by listener 'a'",
        ),
        (
            "[listeners.a]\nprotocol = 'imap'\nrole = 'mx'\n",
            "q.toml:3: listeners.a.role: imap knows no role, not 'mx'",
        ),
        (
            "[listeners.a]\naddress = 'localhost'\n",
            "q.toml:2: listeners.a.address: expected an IP address, * or unix:/path, got 'localhost'",
        ),
        (
            "[listeners.a]\nprotocol = 'http'\ntls = 'starttls'\n",
            "q.toml:3: listeners.a.tls: http has no STARTTLS; take none or implicit",
        ),
        (
            "[http]\nmetrics_from = ['10.0.0.0/33']\n",
            (
                "q.toml:2: http.metrics_from.0: expected a network such as 10.0.0.0/8 or an "
                "address, got '10.0.0.0/33'"
            ),
        ),
        (
            "[queue.routes.a]\nproxy = 'socks4://secret:word@h'\n",
            "q.toml:2: queue.routes.a.proxy: expected socks5://host:port or http://host:port",
        ),
        (
            "[queue.routes.a]\nproxy = 'http://h:99999'\n",
            "q.toml:2: queue.routes.a.proxy: expected socks5://host:port or http://host:port",
        ),
        (
            "[queue.routes.a]\nvia = 'mx'\nsources = ['192.0.2.1', 'eth0']\n",
            "q.toml:3: queue.routes.a.sources: expected an IP address, got 'eth0'",
        ),
        (
            "[queue]\nsource_address = 'localhost'\n",
            "q.toml:2: queue.source_address: expected an IP address, got 'localhost'",
        ),
    ],
)
def test_mistake_names_file_line_key_and_what_was_expected(text: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(text))


QUOTED = "text, sizes and times stand in quotes"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = 1\na = 2\n", "2: a: not valid TOML: is set already; expected once"),
        ("[a]\nx = 1\nx = 2\n", "3: a.x: not valid TOML: is set already; expected once"),
        ("[smtp]\n[smtp]\n", "2: smtp: not valid TOML: this section is there already; expected once"),
        ("[smtp]\nprdr\n", "2: smtp.prdr: not valid TOML: expected: name = value"),
        (
            "[smtp]\nmax_message_size = 50 MB\n",
            f"2: smtp.max_message_size: not valid TOML: expected the end of the line; {QUOTED}",
        ),
        ("[smtp]\n\nprdr = True\n", f"3: smtp.prdr: not valid TOML: expected a value; {QUOTED}"),
        (
            "[a.b]\nx = [ # of\n 1,\n]\n[server]\nhostname = \n[smtp]\n",
            f"6: server.hostname: not valid TOML: expected a value; {QUOTED}",
        ),
        (
            '[server]\nhostname = "x\n[smtp]\n',
            "2: server.hostname: not valid TOML: expected a closing quote on the same line",
        ),
        (
            '[smtp]\nrelay_domains = ["a"\n\n',
            "2: smtp.relay_domains: not valid TOML: expected a ] that closes the list",
        ),
        ('x = "\\q"\n', "1: x: not valid TOML: Unescaped '\\' in a string"),
    ],
)
def test_what_is_no_toml_names_line_and_key_and_what_was_expected(text: str, fault: str) -> None:
    with pytest.raises(load.ConfigError) as raised:
        root.from_text(text, "q.toml")
    assert str(raised.value) == f"q.toml:{fault}"


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    found = faults("[smtp]\nmax_hops = 0\n\n[server]\nworkers = 'x'\nnope = 1\n")
    assert [each.split(": ")[0] for each in found] == ["q.toml:2", "q.toml:5", "q.toml:6"]


def test_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(load.ConfigError, match="cannot be read: No such file"):
        root.from_file(tmp_path / "absent.toml")


def test_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_bytes(b"[server]\nhostname = '\xff'\n")
    with pytest.raises(load.ConfigError, match=r"q\.toml:2: expected text in UTF-8"):
        root.from_file(path)


def test_relative_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "q.toml"
    path.parent.mkdir()
    path.write_text("[store]\ndata = 'd'\n[[tls.certificates]]\ncertificate = 'c.pem'\nkey = '/k.pem'\n")
    config = root.from_file(path)
    assert config.data == tmp_path / "etc" / "d"
    assert config.tls.certificates[0].certificate == str(tmp_path / "etc" / "c.pem")
    assert config.tls.certificates[0].key == "/k.pem"


def test_named_tables_know_their_name() -> None:
    config = root.from_text("[listeners.news]\nprotocol = 'nntp'\nport = 119\n")
    assert list(config.listeners) == ["news"]
    assert config.listeners["news"].name == "news"


def test_a_reload_takes_routes_that_come_go_or_change_places() -> None:
    one, other = Route(domains=["a.example"]), Route(domains=["b.example"])

    def changed(old: dict[str, Route], new: dict[str, Route]) -> tuple[list[str], list[str]]:
        return root.differences(root.Config(queue=Queue(routes=old)), root.Config(queue=Queue(routes=new)))

    assert changed({}, {"a": one}) == (["queue.routes.a"], [])
    assert changed({"a": one, "b": other}, {"b": other}) == (["queue.routes.a"], [])
    assert changed({"a": one, "b": other}, {"b": other, "a": one}) == (["queue.routes"], [])
    assert changed({"a": one}, {"a": other}) == (["queue.routes.a.domains"], [])


def test_differences_tell_what_a_reload_takes() -> None:
    old = root.from_text("[smtp]\nmax_hops = 50\n[listeners.a]\nport = 25\n")
    new = root.from_text(
        "[smtp]\nmax_hops = 60\n[server]\nworkers = 3\n[listeners.a]\nport = 26\nmax_connections = 5\n"
    )
    taken, restart = root.differences(old, new)
    assert taken == ["smtp.max_hops", "listeners.a.max_connections"]
    assert restart == ["server.workers", "listeners.a.port"]
    assert root.differences(old, old) == ([], [])


def test_listener_that_comes_or_goes_needs_a_restart() -> None:
    old = root.from_text("[listeners.a]\nport = 25\n")
    new = root.from_text("[listeners.b]\nport = 25\n")
    assert root.differences(old, new) == ([], ["listeners.a", "listeners.b"])


@dataclasses.dataclass(frozen=True)
class Inner:
    level: int = opt(1, "A level.", minimum=0)


@dataclasses.dataclass(frozen=True)
class Outer:
    items: tuple[Inner, ...] = opt((), "Items.")
    one: Inner = dataclasses.field(default_factory=Inner)
    maybe: str | None = opt(None, "Perhaps.")


def test_schema_of_any_dataclasses() -> None:
    config, found = load.parse(
        'maybe = "x"\none = {level = 3}\n[[items]]\nlevel = 1\n[[items]]\nlevel = 2\n', Outer
    )
    assert config == Outer((Inner(1), Inner(2)), Inner(3), "x")
    assert found["items", 1, "level"] == 6


def test_lines_of_keys_in_every_dress() -> None:
    text = (
        "# [not.a.table]\n"
        "a.b = 1\n"
        '["quoted key".c] # comment ]\n'
        "d = [ # ]]]\n"
        '  \'[x]\', """]\n'
        'e = 1""",\n'
        "]\n"
        "f = '''\n[g]\n'''\n"
        "[h.i]\n"
        "j = {k = [1, 2]}\n"
    )
    found = lines.locate(text)
    assert found["a", "b"] == 2
    assert found["quoted key", "c"] == 3
    assert found["quoted key", "c", "d"] == 4
    assert found["quoted key", "c", "f"] == 8
    assert found["h", "i", "j"] == 12
    assert ("g",) not in found
    assert lines.line_of(found, ("h", "i", "j", "k")) == 12
    assert lines.line_of(found, ("nowhere",)) == 0


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_fault(text: str) -> None:
    told: list[load.Fault] = []
    try:
        config = root.from_text(text)
    except load.ConfigError as error:
        told = error.faults
    else:
        assert root.from_text(describe.effective(config)) == config
    assert all(fault.text for fault in told)


@given(
    st.lists(
        st.sampled_from(["[a]", "[[b]]", "c = [", "]", '"""', "'", "d = 1", "e.f = {", "}", "#", "\\"]),
        max_size=12,
    )
)
def test_any_lines_can_be_located(parts: list[str]) -> None:
    found = lines.locate("\n".join(parts))
    assert all(1 <= line <= len(parts) for line in found.values())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('mode = "rw"', "expected three octal digits"),
        ('owner = "a b"', "expected user, user:group or :group"),
        ('address = "127.0.0.1"\nowner = "mail"', "only a Unix socket has an owner"),
        ("local_users = true", "only for smtp with role submission on a Unix socket"),
        ('address = "127.0.0.1"\nrole = "submission"\nlocal_users = true', "on a Unix socket"),
    ],
)
def test_unix_socket_options_are_checked(lines: str, words: str) -> None:
    if "address" not in lines:
        lines += '\naddress = "unix:/run/x"'
    with pytest.raises(load.ConfigError, match=words):
        root.from_text(f"[listeners.a]\nprotocol = 'smtp'\n{lines}\n")


@pytest.mark.parametrize("option", ["host = 'a.example'", "hosts = ['a.example', '127.0.0.1:2525']"])
@pytest.mark.parametrize("via", ["mx", "discard"])
def test_a_route_that_does_not_use_its_host_is_told(option: str, via: str) -> None:
    name = option.partition(" ")[0]
    with pytest.raises(load.ConfigError) as raised:
        root.from_text(f"[queue.routes.far]\nvia = '{via}'\n{option}\n", "q.toml")
    assert str(raised.value) == (
        f"q.toml:3: queue.routes.far.{name}: is for via = 'smtp' or 'lmtp', and via is '{via}'"
    )
