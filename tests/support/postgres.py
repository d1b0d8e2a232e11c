"""A private PostgreSQL for tests: its own cluster in a temporary folder, a unix socket, no flushes."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Where initdb and postgres are; None when PostgreSQL is not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    path = found[-1] if found else shutil.which("initdb")
    return Path(path).parent if path else None


def _as_nobody() -> list[str]:
    """PostgreSQL refuses to run as root: become somebody else when we are."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


@contextmanager
def cluster() -> Iterator[str]:
    """A running server; gives its connection string.  Gone, with its folder, afterwards."""
    found = binaries()
    assert found is not None
    folder = tempfile.mkdtemp(prefix="pg-")
    os.chmod(folder, 0o777)
    data = os.path.join(folder, "data")
    run = {"check": True, "capture_output": True, "cwd": folder}
    try:
        who = _as_nobody()
        subprocess.run(
            [*who, str(found / "initdb"), "-D", data, "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8",
             "--locale=C"], **run,
        )  # fmt: skip
        options = (
            f"-c listen_addresses='' -c fsync=off -c full_page_writes=off -k {folder} -c max_connections=10"
        )
        subprocess.run(
            [*who, str(found / "pg_ctl"), "-D", data, "-w", "-o", options, "-l", f"{folder}/log", "start"],
            **run,
        )
        try:
            yield f"host={folder} user=test dbname=postgres"
        finally:
            subprocess.run([*who, str(found / "pg_ctl"), "-D", data, "-m", "immediate", "stop"], **run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
