"""What is generated from the schema says everything, and reads back as the same configuration."""

import dataclasses
from pathlib import Path

from quintet.config import describe, root
from quintet.config.route import Route

ROOT = Path(__file__).resolve().parents[3]


def test_annotated_file_is_the_default_configuration() -> None:
    assert root.from_text(describe.annotated()) == root.from_text("")


def test_annotated_file_with_every_option_uncommented_is_the_default() -> None:
    lines = []
    for line in describe.annotated().splitlines():
        bare = line.removeprefix("#")
        option = bare[:1].isalpha() and " = " in bare
        lines.append(bare if option and not line.startswith("# ") else line)
    kept = "\n".join(lines).split("\n# " + "-" * 96)
    plain = [part for part in kept if "#[" not in part]  # tables of which there may be none
    config = root.from_text("".join("\n" + part.partition("\n")[2] for part in plain[1:]))
    assert config == root.from_text("")


def test_annotated_file_holds_what_was_chosen() -> None:
    text = describe.annotated({"server.hostname": "mx.example.org", "smtp.max_message_size": 1024**3})
    config = root.from_text(text)
    assert config.hostname == "mx.example.org"
    assert config.smtp.max_message_size == 1024**3
    assert 'max_message_size = "1 GB"' in text


def test_every_option_says_type_default_and_meaning() -> None:
    for section in describe.sections():
        for option in section.options:
            assert option.type, option.key
            assert option.doc.endswith((".", "?", "!")), option.key
            assert option.default != "", option.key
            assert len(option.doc) > 10, option.key


def test_effective_values_read_back() -> None:
    config = root.from_text(
        "[smtp]\nmax_hops = 30\n[[tls.certificates]]\ncertificate = '/c'\nnames = ['a', 'b']\n"
    )
    assert root.from_text(describe.effective(config)) == config


def test_secrets_are_never_shown() -> None:
    config = dataclasses.replace(
        root.Config(),
        queue=dataclasses.replace(root.Config().queue, routes={"out": Route(user="u", password="hunter2")}),
    )
    assert "hunter2" not in describe.effective(config)
    assert "hunter2" not in str(describe.plain(config))
    assert "(hidden)" in describe.effective(config)


def test_page_of_the_documentation_is_current() -> None:
    page = ROOT / "docs" / "config.md"
    assert page.read_text(encoding="utf-8") == describe.markdown(), "stale: run `make docs`"
