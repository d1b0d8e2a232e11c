"""Debian's slapd for tests: unpacked, with a directory and a configuration of its own, on a free port."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support import ports

ROOT = Path(__file__).parent.parent.parent
UNPACKED = ROOT / "build" / "unpacked"
HOST = "127.0.0.1"
BASE = "dc=example,dc=com"
ADMIN, SECRET = f"cn=admin,{BASE}", "secret"
START_S = 60.0

CONFIG = """
include {etc}/schema/core.schema
include {etc}/schema/cosine.schema
include {etc}/schema/inetorgperson.schema
pidfile {dir}/pid
modulepath {lib}/ldap
moduleload back_mdb
sizelimit 500
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw {secret}
directory {dir}/data
"""


@cache
def places() -> tuple[Path, Path, Path] | None:
    """The program, the folder of its libraries, and that of its schemas."""
    for root in (Path("/"), UNPACKED):
        program = root / "usr/sbin/slapd"
        etc = root / "etc/ldap"
        libraries = [one.parent for one in root.glob("usr/lib/ldap/back_mdb*.so*")]
        if program.exists() and (etc / "schema/core.schema").exists() and libraries:
            return program, libraries[0].parent, etc
    return None


def missing() -> str:
    """Why there is no slapd here; "" when there is."""
    return "" if places() is not None else "no slapd here"


@contextlib.contextmanager
def running() -> Iterator[int]:
    """Its port; the directory is empty."""
    with ports.kept() as port, _running(port):
        yield port


@contextlib.contextmanager
def _running(port: int) -> Iterator[None]:
    found = places()
    assert found is not None
    program, lib, etc = found
    folder = Path(tempfile.mkdtemp(prefix="slapd"))
    (folder / "data").mkdir()
    text = CONFIG.format(etc=etc, dir=folder, lib=lib, base=BASE, admin=ADMIN, secret=SECRET)
    (folder / "slapd.conf").write_text(text)
    libraries = [lib, *lib.glob("*-linux-gnu"), lib / "ldap"]
    process = subprocess.Popen(
        [str(program), "-f", str(folder / "slapd.conf"), "-h", f"ldap://{HOST}:{port}", "-d", "0"],
        env={**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _await(process, port)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stderr is not None
        process.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            assert process.stderr is not None
            raise AssertionError(f"slapd did not start: {process.stderr.read().decode(errors='replace')}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("slapd does not listen")
