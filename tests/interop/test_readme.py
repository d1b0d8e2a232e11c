"""Every command of README.md and docs/administration.md is run, in its order, and shows what is promised.

A ```console block is a list of steps: a line "$ command" (with a here-document it goes on to END), then what
is seen; "..." stands for any text, alone on a line for any lines.  Port 10143 is replaced by a free one like
it, ``make run`` by a demo of our own.  Programs that take the whole terminal run in tmux; there the lines are
looked for on the screen, and the keys that end the program are in `SCREENS`.  The administrator's page is
played on a demo too, which stands for the server in /etc.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ports

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/administration.md")
BASE = 10000  # as the page has it
STANDARD = (24, 25, 80, 110, 119, 143, 443, 465, 563, 587, 993, 995)
TIME_S = 60.0  # for one command, on a busy machine
SCREEN = (110, 40)  # columns, lines

SCREENS: dict[str, tuple[tuple[tuple[str, str], ...], tuple[str, ...]]] = {
    "mutt": ((), ("q",)),
    "slrn": ((), ("q", "y")),
    "tin": ((("Press <RETURN>", "Enter"), ("Group Selection", "y")), ("q", "y", "y")),
}
"""Programs that take the terminal: questions on the way and the key that answers, then the keys that end."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command and what it shows."""

    command: str
    expected: tuple[str, ...]

    @property
    def programs(self) -> list[str]:
        """First words of the commands in a pipeline."""
        first = self.command.partition("\n")[0]
        return [part.split()[0] for part in re.split(r"\s\|\s", first)]

    @property
    def takes_terminal(self) -> bool:
        return "|" not in self.command and self.programs[0] in SCREENS


def steps(block: str) -> list[Step]:
    """The steps of one block."""
    found: list[Step] = []
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            if "<<'END'" in command:
                for more in lines:
                    command += "\n" + more
                    if more == "END":
                        break
            found.append(Step(command, ()))
        else:
            assert found, f"a block begins with what is seen: {line}"
            found[-1] = Step(found[-1].command, (*found[-1].expected, line))
    return found


def blocks(page: str) -> list[list[Step]]:
    """The blocks of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [steps(block) for block in found]


def pattern(expected: tuple[str, ...]) -> str:
    """A regular expression for the whole of an output."""
    lines = [
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else r"[^\n]*?".join(map(re.escape, line.split("..."))) + r"[ \t]*\n"
        for line in expected
    ]
    return "".join(lines)


def expect(step: Step, shown: str) -> None:
    """What was shown is what the page says."""
    shown = "".join(line.rstrip() + "\n" for line in shown.splitlines())
    assert re.fullmatch(pattern(step.expected), shown), (
        f"$ {step.command}\n{shown}\n--- the page says:\n" + "\n".join(step.expected)
    )


# --- the place where the commands are typed -------------------------------------------------------------


@dataclass(slots=True)
class Place:
    """A directory with a demo in it, as a newcomer has it after ``make run``."""

    folder: Path
    base: int
    environment: dict[str, str]
    banner: str = ""

    def here(self, text: str) -> str:
        """Text of the page with our ports and directories."""
        text = text.replace("127.0.0.1:80/", f"127.0.0.1:{self.base + 80}/").replace(
            "/var/backups", "backups"
        )
        return re.sub(
            r"\b10(\d{3})\b", lambda m: str(self.base + int(m[1])) if int(m[1]) in STANDARD else m[0], text
        )

    def run(self, command: str) -> str:
        """Types a command; both of its outputs."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_S,
            check=False,
        )
        return done.stdout.decode(errors="replace").replace("\r\n", "\n")

    def screen(self, step: Step) -> None:
        """Runs a program in a terminal until its screen shows what is expected; then ends it."""
        tmux = ["tmux", "-L", f"quintet-{os.getpid()}", "-f", "/dev/null"]
        columns, lines = map(str, SCREEN)
        start = ["new-session", "-d", "-x", columns, "-y", lines, "bash", "-c", self.here(step.command)]
        subprocess.run([*tmux, *start], cwd=self.folder, env=self.environment, check=True, timeout=TIME_S)
        try:
            wanted, shown = re.compile(self.here(pattern(step.expected))), ""
            answers, last = SCREENS[step.programs[0]]
            for question, key in answers:
                shown = self._await(tmux, re.compile(question))
                subprocess.run([*tmux, "send-keys", key], capture_output=True, timeout=TIME_S, check=False)
            shown = self._await(tmux, wanted)
            for key in last:
                if subprocess.run([*tmux, "send-keys", key], capture_output=True, timeout=TIME_S).returncode:
                    break  # it has ended
                time.sleep(0.3)
        finally:
            subprocess.run([*tmux, "kill-server"], capture_output=True, timeout=TIME_S, check=False)
        assert wanted.search(shown), f"$ {step.command}\n{shown}"

    def _await(self, tmux: list[str], wanted: re.Pattern[str]) -> str:
        shown, until = "", time.monotonic() + TIME_S
        while time.monotonic() < until:
            done = subprocess.run(
                [*tmux, "capture-pane", "-p"], capture_output=True, timeout=TIME_S, check=False
            )
            if done.returncode:
                return shown  # it has ended: what was last seen counts
            shown = done.stdout.decode(errors="replace")
            if wanted.search("".join(line.rstrip() + "\n" for line in shown.splitlines())):
                break
            time.sleep(0.1)
        return shown


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "quintet").symlink_to(Path(sys.executable).parent / "quintet")
    # a link would begin with the interpreter that the environment was made from
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with ports.kept_base(STANDARD) as base:
        yield from _placed(folder, base)


def _placed(folder: Path, base: int) -> Iterator[Place]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE_", "TMUX"))},
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TERM": "screen",
        "COLUMNS": "200",
        "PATH": f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}",
        "QUINTET_CONFIG": str(folder / "quintet-demo"),
    }
    (folder / "backups").mkdir()
    command = [".venv/bin/quintet", "demo", "--port-base", str(base)]
    with (folder / "demo.out").open("wb") as out:
        demo = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        yield Place(folder, base, environment, _banner(demo, folder / "demo.out"))
    finally:
        demo.terminate()
        try:
            code = demo.wait(TIME_S)
        except subprocess.TimeoutExpired:
            demo.kill()
            demo.wait()
            raise
    assert code == 0


def _banner(demo: subprocess.Popen[bytes], out: Path) -> str:
    until = time.monotonic() + TIME_S
    while "Ctrl-C ends it" not in out.read_text(errors="replace"):
        assert demo.poll() is None and time.monotonic() < until, out.read_text(errors="replace")
        time.sleep(0.05)
    return out.read_text()


# --- the tests --------------------------------------------------------------------------------------------


CASES = [
    pytest.param(block, id="-".join(dict.fromkeys(step.programs[-1].rpartition("/")[2] for step in block)))
    for page in PAGES
    for block in blocks(page)
]


@pytest.mark.parametrize("block", CASES)
def test_commands_show_what_the_page_says(place: Place, block: list[Step]) -> None:
    for step in block:
        for program in step.programs:
            if "/" not in program and shutil.which(program, path=place.environment["PATH"]) is None:
                pytest.skip(f"{program} is not installed")
        if step.takes_terminal and shutil.which("tmux") is None:
            pytest.skip("tmux is not installed")
    for step in block:
        expected = Step(step.command, tuple(place.here(line) for line in step.expected))
        if step.command == "make run":
            expect(expected, place.banner)
        elif step.command.startswith("make "):
            asked = [*step.command.split(), "-n"]
            subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, timeout=TIME_S)
        elif step.takes_terminal:
            place.screen(step)
        else:
            expect(expected, place.run(place.here(step.command)))


def test_newcomer_meets_both_commands_and_every_client() -> None:
    typed = [step for block in blocks("README.md") for step in block]
    programs = {program for step in typed for program in step.programs}
    assert {"make", "mutt", "mbsync", "fetchmail", "slrn", "tin", "curl", "swaks", "openssl"} <= programs
    assert {step.command for step in typed} >= {"make run", "make test"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert targets or page != "README.md"
    for target in targets:
        assert ((ROOT / page).parent / target).exists(), target
