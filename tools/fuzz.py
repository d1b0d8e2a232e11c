"""Runs the fuzz targets of ``tests/fuzz``: ``python -m tools.fuzz [NAME...]``.

Each target has a process of its own and ``FUZZ_SECONDS`` (60). Inputs are guided by coverage where atheris
is installed, and mutated at random elsewhere. An input that raises, or takes longer than ``SLOW_S``, is
written to ``fuzz-findings/`` and the exit code is 1. Replay one with
``python -m tools.fuzz NAME fuzz-findings/FILE``.
"""

import hashlib
import importlib
import os
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ROOT / "tests" / "fuzz"
FINDINGS = ROOT / "fuzz-findings"

SLOW_S = 2.0  # for one input; parsers promise time linear in their input, and inputs are small
STUCK_S = 120  # for one that does not end, by the wall's clock, which goes on while other programs work
MAX_INPUT = 16 * 1024  # bytes

Target = Callable[[bytes], None]

# Pieces that mean something to the parsers of mail and news, so that chance finds the interesting places.
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b".", b"..", b".\r\n", b'"', b"\\", b"(", b")", b"{", b"}",
    b"{5}\r\n", b"{4294967296}", b"<", b">", b"@", b":", b";", b",", b"=", b"=?utf-8?q?", b"?=", b"--",
    b"\xff", b"\xc3\xa9", b"%", b"*", b"NIL", b"~{3}", b"\r\n ", b"\r\n\r\n", b"18446744073709551616",
    b"-1", b"0", b"4294967295", b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="b"',
    b"Content-Transfer-Encoding: base64", b"message/rfc822",
)  # fmt: skip


def names() -> list[str]:
    """The names of all targets, sorted."""
    return sorted(path.stem.removeprefix("fuzz_") for path in TARGETS.glob("fuzz_*.py"))


def load(name: str) -> tuple[Target, list[bytes]]:
    """A target's function and its seeds (at least one, perhaps empty)."""
    module = importlib.import_module(f"tests.fuzz.fuzz_{name}")
    return module.target, list(getattr(module, "SEEDS", None) or [b""])


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One seed with a few random changes: bytes, tokens, cuts, repeats, a splice of another seed."""
    data = bytearray(rng.choice(seeds)[:MAX_INPUT])
    for _ in range(rng.choice((1, 1, 2, 3, 5, 9))):
        at = rng.randint(0, len(data))
        to = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
        kind = rng.randrange(7)
        if kind == 0:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 1:
            data[at:to] = rng.choice(TOKENS)
        elif kind == 2:
            data[at:to] = b""
        elif kind == 3:
            data[at:to] = rng.randbytes(to - at)
        elif kind == 4:
            data[at:at] = data[at:to] * rng.choice((1, 2, 50))
        elif kind == 5:
            other = rng.choice(seeds)
            data[at:] = other[rng.randint(0, len(other)) :]
        elif data:
            data[at - 1] ^= 1 << rng.randrange(8)
    return bytes(data[:MAX_INPUT])


def timed(target: Target) -> Target:
    """Raises for a slow input too; five times as slow, for the engine's own work is counted."""

    def run(data: bytes) -> None:
        began = time.process_time()  # a machine that stands still makes no input slow
        target(data)
        took_s = time.process_time() - began
        if took_s >= 5 * SLOW_S:
            raise TimeoutError(f"took {took_s:.1f} s")

    return run


def attempt(name: str, target: Target, data: bytes) -> bool:
    """Run one input; False, a printed report and a saved file when it raises or is slow."""
    began = time.process_time()  # a machine that stands still makes no input slow
    try:
        target(data)
    except Exception:  # noqa: BLE001  whatever comes out is the finding
        print(f"fuzz {name}: raised\n{traceback.format_exc()}", file=sys.stderr)
    else:
        took_s = time.process_time() - began
        if took_s < SLOW_S:
            return True
        print(f"fuzz {name}: took {took_s:.1f} s", file=sys.stderr)
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
    path.write_bytes(data)
    print(f"fuzz {name}: saved {path.relative_to(ROOT)}, {len(data)} bytes", file=sys.stderr)
    return False


def run_random(name: str, seconds: float, *, seed: int | None = None, rounds: int | None = None) -> int:
    """Run seeds, then mutations, until the time or the rounds are over.

    Returns how many inputs were tried, negative if the last one was a finding.
    """
    target, seeds = load(name)
    rng = random.Random(seed)
    ends = time.monotonic() + seconds
    tried = 0
    for data in seeds:
        tried += 1
        if not attempt(name, target, data):
            return -tried
    while (rounds is None or tried < rounds) and time.monotonic() < ends:
        tried += 1
        if not attempt(name, target, mutate(rng, seeds)):
            return -tried
    return tried


def run_guided(name: str, seconds: float) -> None:
    """Hand over to atheris; it ends the process, with a code other than 0 on a finding."""
    import atheris  # there only where `make fuzz` could install it

    with atheris.instrument_imports(include=["quintet", "tests.fuzz"]):
        target, seeds = load(name)
    corpus = ROOT / "build" / "fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    FINDINGS.mkdir(exist_ok=True)
    arguments = [
        name,
        str(corpus),
        f"-max_total_time={int(seconds)}",
        f"-max_len={MAX_INPUT}",
        f"-timeout={STUCK_S}",
        f"-report_slow_units={STUCK_S}",
        f"-artifact_prefix={FINDINGS}/{name}-",
        "-verbosity=0",
    ]
    atheris.Setup(arguments, timed(target))
    atheris.Fuzz()


def run_all(chosen: list[str], seconds: float) -> int:
    """Run each target in its own process; the number of those with findings."""
    failed = 0
    for name in chosen:
        print(f"fuzz {name}: {seconds:g} s", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "tools.fuzz", "--one", name, str(seconds)], cwd=ROOT, check=False
        )
        if done.returncode != 0:
            failed += 1
    print(f"fuzz: {len(chosen) - failed} of {len(chosen)} targets clean")
    return failed


def main(arguments: list[str]) -> int:
    """The command line; see the top of this file."""
    if arguments[:1] == ["--one"]:
        name, seconds = arguments[1], float(arguments[2])
        try:
            run_guided(name, seconds)
        except ImportError:
            tried = run_random(name, seconds)
            print(f"fuzz {name}: {abs(tried)} inputs")
            return int(tried < 0)
        return 0
    if len(arguments) == 2 and Path(arguments[1]).is_file():
        return int(not attempt(arguments[0], load(arguments[0])[0], Path(arguments[1]).read_bytes()))
    unknown = set(arguments) - set(names())
    if unknown:
        print(
            f"no such target: {', '.join(sorted(unknown))}; there are: {', '.join(names())}", file=sys.stderr
        )
        return 2
    return int(run_all(arguments or names(), float(os.environ.get("FUZZ_SECONDS", "60"))) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
