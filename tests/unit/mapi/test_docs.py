"""The examples of docs/mapi-api.md run, and print what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from quintet.mapi import compat
from quintet.mapi.core.admin import MAPIAdminProfiles
from quintet.mapi.core.profile import ENVIRONMENT
from quintet.mapi.providers import memory

PAGE = Path(__file__).resolve().parents[3] / "docs" / "mapi-api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.split("\n")[0][:40] for each in EXAMPLES])
def test_example_runs(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "profiles.json"))
    memory.forget("default")
    memory.world("default").account("ann@example.com")
    admin = MAPIAdminProfiles()
    admin.CreateProfile("Ann")
    admin.AdminServices("Ann").CreateMsgService("MEMORY")
    uid = admin.AdminServices("Ann").GetMsgServiceTable().QueryRows(1)[0][0].Value
    admin.AdminServices("Ann").ConfigureMsgService(uid, 0, 0, {"account": "ann@example.com"})
    exec(compile(example, str(PAGE), "exec"), {})
    said = re.findall(r"print\(.*# (.*)$", example, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said
    memory.forget("default")
    compat.uninstall()


def test_codec_does_not_bring_the_pleasant_layer_along() -> None:
    """`from quintet.mapi import tags` asks the package for an attribute before it looks for a module."""
    code = "import sys; from quintet.mapi import tags; print('quintet.mapi.api' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=20
    )
    assert found.stdout == "False\n"
