"""Thunderbird without a screen, driven by its own Marionette: `Thunderbird.do` says one of the verbs of
tests/interop/thunderbird/verbs.js in the main window.

The protocol is "LENGTH:JSON" over TCP; a command is [0, number, name, parameters] and its answer
[1, number, error, result].  Nothing here leaves this machine: updates, telemetry, block lists and remote
settings are off, and what is left of HTTP goes to a proxy that is not there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

VERBS = Path(__file__).parents[1] / "interop" / "thunderbird" / "verbs.js"
START_S = 60.0  # a busy machine is no defect
SCRIPT_S = 40.0  # longer than any verb waits
MAX_ANSWER = 16 * 1024 * 1024  # bytes

PREFERENCES: dict[str, bool | int | str] = {
    "marionette.port": 0,  # any; written to the profile
    # nothing from outside
    "app.donation.eoy.version.viewed": 999,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "network.proxy.allow_hijacking_localhost": False,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.type": 1,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    # no questions, no greetings
    "intl.locale.requested": "en-US",
    "mail.biff.play_sound": False,
    "mail.biff.show_alert": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mailnews.confirm.moveFoldersToTrash": False,
    "mailnews.database.global.indexer.enabled": False,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    # small waits
    "mailnews.mark_message_read.delay": False,
    "mail.imap.hdr_chunk_size": 20,
}

CALL = """
const done = arguments[arguments.length - 1];
(async (name, parameters) => { %s
return verbs[name](...parameters);
})(arguments[0], arguments[1]).then(
  value => done({ value: value ?? null }),
  problem => done({ problem: `${problem}\\n${problem.stack}` }),
);
"""


class Thunderbird:
    """A connection to a running Thunderbird; blocking, so for a thread beside the server's loop."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), START_S)
        self._socket.settimeout(SCRIPT_S + 10)
        self._buffer = b""
        self._number = 0
        self._script = CALL % VERBS.read_text(encoding="utf-8")
        self._receive()  # what it is
        self.ask(
            "WebDriver:NewSession",
            capabilities={"alwaysMatch": {"timeouts": {"script": int(SCRIPT_S * 1000)}}},
        )
        self.ask("Marionette:SetContext", value="chrome")

    def do(self, verb: str, *parameters: Any) -> Any:
        """What the verb gives; AssertionError with Thunderbird's own words where it fails."""
        answer = self.ask("WebDriver:ExecuteAsyncScript", script=self._script, args=[verb, list(parameters)])[
            "value"
        ]
        assert answer is not None, f"{verb}{parameters}: Thunderbird asked something"
        assert "problem" not in answer, f"{verb}{parameters}: {answer['problem']}"
        return answer["value"]

    def ask(self, command: str, **parameters: Any) -> Any:
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self._receive()
        assert number == self._number
        assert not error, f"{command}: {error['error']}: {error['message']} {error.get('data') or ''}"
        return result

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> Any:
        while b":" not in self._buffer:
            self._more()
        length, _, self._buffer = self._buffer.partition(b":")
        size = int(length)
        assert size <= MAX_ANSWER
        while len(self._buffer) < size:
            self._more()
        message, self._buffer = self._buffer[:size], self._buffer[size:]
        return json.loads(message)

    def _more(self) -> None:
        data = self._socket.recv(65536)
        assert data, "Thunderbird closed the connection"
        self._buffer += data


@contextmanager
def thunderbird(folder: Path, **preferences: bool | int | str) -> Iterator[Thunderbird]:
    """Starts Thunderbird with a new profile below ``folder``; the test is skipped where there is none."""
    found = shutil.which("thunderbird")
    if found is None:
        pytest.skip("thunderbird is not installed")
    profile = folder / "profile"
    profile.mkdir(parents=True)
    chosen = {**PREFERENCES, **preferences}
    lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in chosen.items()]
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    command = [found, "--headless", "--no-remote", "--profile", str(profile)]
    command += ["--marionette", "--remote-allow-system-access"]
    environment = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder),
        "MOZ_CRASHREPORTER_DISABLE": "1",
        **{key: value for key, value in os.environ.items() if key.startswith("MOZ_LOG")},
    }
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(  # a group of its own: it has children
            command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        driver = Thunderbird(_port(process, profile, folder / "output"))
        try:
            yield driver
        finally:
            with contextlib.suppress(AssertionError, OSError):
                driver.ask("Marionette:Quit", flags=["eForceQuit"])
            driver.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _port(process: subprocess.Popen[bytes], profile: Path, output: Path) -> int:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            return int((profile / "MarionetteActivePort").read_text())
        time.sleep(0.05)
    raise AssertionError(f"thunderbird did not start:\n{output.read_text(errors='replace')[-2000:]}")
