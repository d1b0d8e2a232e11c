"""Rules about readers of news in the configuration file."""

import pytest

from quintet.config import root
from quintet.config.load import ConfigError


def test_blocks_and_lists_of_people() -> None:
    config = root.from_text(
        '[nntp.people]\nteam = ["*@example.org"]\n[[nntp.access]]\nread = "local.*"\n'
        '[[nntp.access]]\naccounts = ["@team"]\npost = "*,!local.announce"\nposts = "10/hour"\n'
    )
    first, second = config.nntp.access
    assert (first.read, first.post, first.accounts) == ("local.*", "", ())
    assert (second.read, second.post, second.accounts) == ("*", "*,!local.announce", ("@team",))
    assert config.nntp.people == {"team": ("*@example.org",)}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('accounts = ["@nobody"]', "nntp.access.0.accounts: there is no list 'nobody'"),
        ('read = "a b"', "nntp.access.0.read: expected patterns"),
        ('post = "local.[a"', "nntp.access.0.post: expected patterns"),
        ('posts = "many"', "nntp.access.0.posts: expected a rate"),
        ('addresses = ["nowhere"]', "nntp.access.0.addresses: expected a network"),
        ('reads = "*"', "nntp.access.0.reads: no such option; did you mean 'read'?"),
    ],
)
def test_faults_name_the_line(line: str, text: str) -> None:
    with pytest.raises(ConfigError, match=r"quintet\.toml:2: ") as caught:
        root.from_text(f"[[nntp.access]]\n{line}\n")
    assert text in str(caught.value)
