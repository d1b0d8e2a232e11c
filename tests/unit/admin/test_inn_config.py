"""INN's configuration as ours: each file read, what has no counterpart told, and the whole served."""

from __future__ import annotations

from pathlib import Path

import pytest

from quintet.admin import cli
from quintet.admin.cli import common
from quintet.admin.transfer.innconf import keeping, peers, readers, syntax, whole
from quintet.admin.transfer.innconf.syntax import Block
from quintet.config import root
from quintet.config.root import Config
from tests.support.shell import Shell

FILES = {
    "inn.conf": """
# of a server in use for twenty years
pathhost:             news.example.org
domain:               example.org
organization:         "Example, Inc.  # not a comment"
complaints:           abuse@example.org
newsmaster:           usenet
maxartsize:           0
localmaxartsize:      500000
artcutoff:            14
docancels:            require-auth
linecountfuzz:        5
verifygroups:         false
wanttrash:            true
strippostcc:          true
addinjectionpostinghost: false
pathalias:            old.example.org
extraoverviewadvertised: [ Keywords
                           X-Spam ]
moderatormailer:      %s@mods.example.org
pathdb:               /srv/news/db
pathspool:            "/srv/news/spool"
tlscertfile:          /etc/news/cert.pem
tlskeyfile:           /etc/news/key.pem
port:                 433
""",
    "newsfeeds": r"""
$LOCAL=local.*,example.*
ME/bad.example,worse.example\
    :*,!junk,!$LOCAL/!local\
    ::
# a funnel and those who go through it
innfeed!:!*:Tc,Wnm*:/usr/lib/news/bin/innfeed -y
peer1/peer1.example.net,peer1.example.com\
    :*,@*bina*,!control,!control.*/world,na\
    :Tm,<50000,>10,G5,C30,H4,Nm,Ap,Acd,Q1-3/10:innfeed!
peer2.example.net:comp.*:Tm,Onews.example.org/@bad*,U4,S5000:innfeed!
slow!:!*:Tc,Wnm*:/usr/lib/news/bin/delayer 60 -- /usr/lib/news/bin/innfeed
late.example:*:Tm:slow!
batch.example:*:Tf,Wnm:
archive!:*:Tc,Wn:/usr/lib/news/bin/archive -a
controlchan!:!*,control,control.*,!control.cancel:AC,Tc,Wnsm:/usr/lib/news/bin/controlchan
nocem!:!*,news.lists.filters,alt.nocem.misc:Tc,Wf,Ap:/usr/lib/news/bin/perl-nocem
news2mail!:!*:Tc,Ac,Wnm*:/usr/lib/news/bin/news2mail
talk@lists.example:local.talk:Tm:news2mail!
unsent.example:*:Tf,Wnm:
""",
    "incoming.conf": """
max-connections: 8
peer ME { hostname: "localhost, 127.0.0.1, ::1" }
group fast {
  max-connections: 30
  peer peer1 { hostname: "peer1.example.net, 192.0.2.7"  patterns: "*,!local.*" }
}
peer only.example { streaming: false ignore: true resendid: false }
peer secret.example { password: "tiger" }
peer gone.example { skip: true }
""",
    "innfeed.conf": """
max-connections: 5
peer peer1 { ip-name: in.peer1.example.net  port-number: 433  max-connections: 0 }
peer peer2.example.net { username: us  password: "two words" streaming: false }
""",
    "nntpsend.ctl": "batch.example:nntp.batch.example::-T1800\n",
    "passwd.nntp": "nntp.batch.example:me:mine:authinfo\n",
    "readers.conf": """
auth all { hosts: "*"  default: "<anonymous>" }
auth staff { hosts: "10.1.*, 192.0.2.0/24"  require_ssl: true  auth: "ckpasswd -f /etc/news/users" }
auth named { hosts: "*.example.org"  default: "<local>" }
access anonymous { users: "<anonymous>"  read: "*,!local.*" }
access people { users: "*,!<anonymous>"  newsgroups: "*"  access: RPAN  max_rate: 5000  addcanlockuser: ip }
access boss { users: "boss"  newsgroups: "*"  access: RPALI }
""",
    "expire.ctl": "/remember/:11\n*:A:1:14:90\n"
    "comp.*,!comp.os.*:MX:0:never:never\nlocal.*:A:never:never:never\n",
    "storage.conf": "method cnfs {\n newsgroups: alt.*,@alt.x\n class: 1\n options: BIG\n size: 0,50000\n}\n"
    "method tradspool {\n newsgroups: *\n class: 0\n}\n",
    "cycbuff.conf": "cycbuff:ONE:/one:1000\ncycbuff:TWO:/two:24\nmetacycbuff:BIG:ONE,TWO:SEQUENTIAL\n",
    "moderators": "local.*:mod-%s@example.org\n",
    "distrib.pats": "10:local.*:local\n",
    "distributions": "local\t\tOnly here\n",
    "subscriptions": "news.answers\nlocal.talk\n",
    "motd.nnrpd": "Down on Sunday.\n",
    "control.ctl": "all:*:*:drop\nnewgroup:*:local.*:mail\n",
    "control.ctl.local": "/localencoding/:utf-8\nnewgroup:boss@example.org:local.*:doit=mail\n"
    "/maxdocheckgroups/:*:*:25\n",
    "nocem.ctl": "bot@example.net:spam,mmf\n",
    "pgp/ncmring.gpg": "keys",
    "localgroups": "local.talk\n",
    "inn-secrets.conf": 'cancels {\n canlockuser: [ "abc" ]\n}\n',
}


# of "Hello world!": https://www.akkadia.org/drepper/SHA-crypt.txt
SHA_CRYPT = (
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1"
)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def read(etc: Path) -> tuple[Config, list[str]]:
    found = whole.read(etc)
    assert (found.db, found.spool) == (Path("/srv/news/db"), Path("/srv/news/spool"))
    return root.from_text(found.text), found.notes


def test_inn_conf(read: tuple[Config, list[str]]) -> None:
    config, notes = read
    nntp = config.nntp
    assert (nntp.path_host, nntp.organization) == ("news.example.org", "Example, Inc.  # not a comment")
    assert (nntp.complaints_to, config.news.newsmaster) == ("abuse@example.org", "usenet@example.org")
    assert (nntp.max_peer_article, nntp.max_article_size) == (256 * 1024 * 1024, 500_000)
    assert (nntp.max_peer_age_days, nntp.max_age_days, nntp.lines_fuzz) == (14, 14, 5)
    assert (nntp.want_junk, nntp.strip_mail_fields, nntp.posting_host) == (True, True, False)
    assert (config.news.docancels, config.hostname) == ("require-auth", "news.example.org")
    assert config.listeners["nntp"].port == 433
    assert set(config.listeners) == {"nntp", "nntps"}, "nothing else is opened on a news server"
    assert config.tls.certificates[0].key.endswith("/etc/news/key.pem")
    assert "inn.conf pathalias: a second name in Path is not added" in notes
    assert any(note.startswith("inn.conf extraoverviewadvertised:") for note in notes)


def test_peers(read: tuple[Config, list[str]]) -> None:
    config, notes = read
    found = {peer.name: peer for peer in config.nntp.peer}
    assert list(found) == [
        "peer1", "peer2.example.net", "late.example", "batch.example", "only.example", "secret.example",
    ]  # fmt: skip
    one = found["peer1"]
    assert one.send == "*,!junk,!local.*,!example.*,*,@*bina*,!control,!control.*", "those of ME come first"
    assert (one.host, one.port, one.max_out) == ("in.peer1.example.net", 433, 4)
    assert (one.max_size, one.min_size, one.max_groups, one.max_spread, one.max_hops) == (
        50_000,
        11,
        5,
        30,
        4,
    )
    assert (one.moderated, one.check_path, one.control, one.need_distribution) == (
        "only",
        False,
        "none",
        True,
    )
    assert (one.distributions, one.hashfeed) == (("world", "na"), "1-3/10")
    assert one.exclude == ("peer1.example.net", "peer1.example.com")
    assert (one.addresses, one.accept, one.max_in) == (("peer1.example.net", "192.0.2.7"), "*,!local.*", 30)
    two = found["peer2.example.net"]
    assert (two.host, two.max_out, two.user, two.password) == ("peer2.example.net", 5, "us", "two words")
    assert (two.originators, two.max_followups, two.streaming) == (("news.example.org", "!bad*"), 4, False)
    assert not two.takes
    assert found["late.example"].delay_s == 60
    batch = found["batch.example"]
    assert (batch.host, batch.user, batch.password) == ("nntp.batch.example", "me", "mine")
    only = found["only.example"]
    assert (only.addresses, only.streaming, only.ignore, only.resend) == (
        ("only.example",),
        False,
        True,
        False,
    )
    assert (only.max_in, only.feeds) == (8, False)
    assert (found["secret.example"].addresses, found["secret.example"].accounts) == (
        (), ("secret.example@example.org",)
    )  # fmt: skip
    assert config.nntp.exclude == ("bad.example", "worse.example")
    assert config.nntp.take_distributions == ("!local",)
    for start in ("newsfeeds archive!: goes to the program", "newsfeeds unsent.example: goes to a file",
                  "newsfeeds talk@lists.example: goes to a mailing list: write a [[gateway]] for local.talk",
                  "incoming.conf ME: left out", "incoming.conf secret.example: it logs in"):  # fmt: skip
        assert any(note.startswith(start) for note in notes), start


def test_readers(read: tuple[Config, list[str]]) -> None:
    config, notes = read
    anonymous, people, boss = config.nntp.access
    assert (anonymous.addresses, anonymous.accounts, anonymous.read) == ((), (), "*,!local.*")
    assert (anonymous.post, anonymous.approve) == ("", "")
    assert (people.accounts, people.addresses) == (("*",), ("10.1.0.0/16", "192.0.2.0/24"))
    assert (people.tls, people.post, people.approve, people.max_rate) == (True, "*", "*", 5000)
    assert (people.new_news, people.locally, people.ihave) == (True, "", "")
    assert (boss.accounts, boss.locally, boss.ihave) == (("boss@example.org",), "*", "*")
    assert not boss.new_news, "its access has no N"
    assert config.nntp.cancel_lock == "address"
    assert any("auth named" in note and "*.example.org" in note for note in notes)
    assert any("ckpasswd -f /etc/news/users" in note for note in notes)


def test_expiry(read: tuple[Config, list[str]]) -> None:
    config, _ = read
    buffer, local, comp, rest = config.expire
    assert (buffer.groups, buffer.total_bytes, buffer.max_size) == (["alt.*", "!alt.x"], 1024 * 1024, 50_000)
    assert (local.groups, local.minimum, local.default) == (["local.*"], keeping.FOREVER, 0)
    assert (comp.groups, comp.status, comp.everywhere) == (["comp.*", "!comp.os.*"], "moderated", True)
    assert (comp.default, comp.maximum) == (0, 0)
    assert (rest.minimum, rest.default, rest.maximum) == (1, 14, 90)
    assert config.store.history_days == 11


def test_lists_and_control(read: tuple[Config, list[str]], etc: Path) -> None:
    config, notes = read
    nntp = config.nntp
    assert nntp.moderators == ("local.*:mod-%s@example.org", "*:%s@mods.example.org")
    assert nntp.distributions == ("10:local.*:local",)
    assert nntp.distribution_names == {"local": "Only here"}
    assert (nntp.subscriptions, nntp.motd) == (("news.answers", "local.talk"), "Down on Sunday.")
    news = config.news
    assert (news.control_file, news.well_known) == (str(etc / "control.ctl"), False)
    assert [(rule.message, rule.sender, rule.action) for rule in news.control] == [
        ("newgroup", "boss@example.org", "doit=mail")
    ]
    assert news.max_checkgroups == 25
    assert [(one.issuer, one.types) for one in news.nocem] == [("bot@example.net", ("spam", "mmf"))]
    assert news.nocem_groups == ("news.lists.filters", "alt.nocem.misc")
    for start in ("inn-secrets.conf", "localgroups", "control.ctl: is read"):
        assert any(note.startswith(start) for note in notes), start


def test_classes_instead_of_groups() -> None:
    storage = syntax.blocks(
        "method timehash { newsgroups: a.*,!a.b class: 1 expires: 1d }\n"
        "method timehash { newsgroups: * class: 1 }",
        lambda name: "",
    )
    found = keeping.read("*:1:10:never\n1:0:5:never\n", storage, "", by_group=False)
    assert [(each.groups, each.with_expires, each.default) for each in found.expire] == [
        (["a.*", "!a.b"], "yes", 5.0), (["*"], "any", 5.0), (["*"], "any", 10.0),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="expected 4 fields"):
        keeping.read("*:A:1:10:never\n", storage, "", by_group=False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("peer a {\n x: 1\n", "peer a: the block does not end"),
        ("a: 1\n}\n", "line 2: a brace too many"),
        ("a: 1\nwhat is this\n", "line 2: cannot be read: what is this"),
        ("$INCLUDE other\n", "files that include one another"),
    ],
)
def test_what_is_no_file_of_blocks_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        syntax.blocks(text, lambda name: text)


def test_blocks_of_every_form() -> None:
    found = syntax.blocks(
        'a: "b # c" # d\nlist: [ x "y"\n z ]\nempty:\ngroup g { deep: 1\n'
        ' peer p { } peer "q r" { deep: 2 } }\n'
        "include more\n",
        lambda name: "from: there\n" if name == "more" else "",
    )
    assert found.values == [("a", "b # c"), ("list", "x y z"), ("empty", ""), ("from", "there")]
    peers_found = {each.name: each.get("deep") for each in syntax.inherited(found, "peer")}
    assert peers_found == {"p": "1", "q r": "2"}


def test_a_feed_to_whom_innfeed_knows_nothing_of_goes_to_the_host_of_its_name() -> None:
    feeds = "innfeed!:!*:Tc,Wnm*:/bin/innfeed\nnews.example:*:Tm:innfeed!\n"
    (peer,) = peers.read(peers.Files(feeds), "example.org").peers
    assert (peer.host, peer.port, peer.max_out) == ("news.example", 119, 4)


def test_hosts_that_are_left_out_by_name_give_nobody_anything() -> None:
    text = 'auth a { hosts: "*,!*.bad.example" default: "x" } access a { users: "x" newsgroups: * }'
    found = readers.read(syntax.blocks(text, lambda name: ""), "example.org", True, readers.Backoff())
    assert found.access == []
    assert "left out" in found.notes[0]


def test_no_rules_of_readers_let_nobody_in(etc: Path) -> None:
    (etc / "readers.conf").unlink()
    config = root.from_text(whole.read(etc).text)
    assert (config.nntp.read, config.nntp.access) == ("authenticated", ())


def test_an_empty_block_has_no_values() -> None:
    assert Block().get("a", "b") == "b"


def test_one_command_moves_all(
    etc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUINTET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path / "new/quintet.toml", capsys)
    (tmp_path / "db").mkdir()
    (tmp_path / "db/active").write_text("local.talk 0000000007 0000000008 y\n")
    (tmp_path / "spool/articles").mkdir(parents=True)
    text = FILES["inn.conf"].replace("/srv/news", str(tmp_path))
    (etc / "users").write_text(f"# of ckpasswd\nann:{SHA_CRYPT}\nbob:$y$j9T$x$y\n\n")
    (etc / "readers.conf").write_text(FILES["readers.conf"].replace("/etc/news/users", str(etc / "users")))
    (etc / "inn.conf").write_text(text)
    out = shell("import", "inn", "--etc", str(etc))
    assert "6 peers, 3 rules of access, 4 rules of expiry, 1 accounts" in out
    assert "1 of 2 users need new passwords" in shell.err
    assert [row["name"] for row in shell.json("account", "list") if "@" in row["name"]] == ["ann@example.org"]
    assert "1 groups, 0 articles added" in out
    assert (tmp_path / "new/quintet.toml").stat().st_mode & 0o007 == 0, "it has passwords"
    assert [row["peer"] for row in shell.json("peer", "list")][:1] == ["peer1"]
    shell("import", "inn", "--etc", str(etc), code=common.Exit.REFUSED)
    assert cli.run(["import", "inn-config", str(etc), "--write", "again.toml"]) == 0
    assert (tmp_path / "again.toml").read_text() == (tmp_path / "new/quintet.toml").read_text()
    assert cli.run(["import", "inn-config", str(etc), "--json"]) == 0
    (etc / "nocem.ctl").write_text("*:spam\n")
    assert cli.run(["import", "inn-config", str(etc)]) == 0
    assert "nocem.ctl: *:spam: name an issuer" in capsys.readouterr().err
    (etc / "expire.ctl").write_text(":A:1:1:1\n")
    assert cli.run(["import", "inn-config", str(etc)]) == common.Exit.REFUSED
    assert "what it says cannot be had here" in capsys.readouterr().err
    (etc / "expire.ctl").write_text("*:A:1\n")
    assert cli.run(["import", "inn-config", str(etc)]) == common.Exit.REFUSED
    assert "expire.ctl: expected 5 fields" in capsys.readouterr().err
