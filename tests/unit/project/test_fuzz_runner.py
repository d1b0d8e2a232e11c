"""The fuzz runner finds what raises and what is slow, keeps the input, and repeats itself for a seed."""

import random
import time
from pathlib import Path

import pytest

from tools import fuzz


@pytest.fixture(autouse=True)
def findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fuzz-findings"
    monkeypatch.setattr(fuzz, "ROOT", tmp_path)
    monkeypatch.setattr(fuzz, "FINDINGS", folder)
    return folder


def test_input_that_raises_is_kept(findings: Path) -> None:
    def target(data: bytes) -> None:
        raise KeyError(data)

    assert not fuzz.attempt("x", target, b"bad input")
    assert [path.read_bytes() for path in findings.iterdir()] == [b"bad input"]


def test_slow_input_is_kept(findings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "SLOW_S", 0.0)
    assert not fuzz.attempt("x", lambda data: None, b"slow")
    assert len(list(findings.iterdir())) == 1


def test_an_input_is_not_slow_because_the_machine_stands_still(
    findings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "SLOW_S", 0.05)
    assert fuzz.attempt("x", lambda data: time.sleep(0.1), b"waits")
    assert not findings.exists()


def test_guided_input_that_is_slow_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "SLOW_S", 0.02)
    fuzz.timed(lambda data: time.sleep(0.2))(b"waits")

    def works(data: bytes) -> None:
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass

    with pytest.raises(TimeoutError, match="took 0"):
        fuzz.timed(works)(b"works")


def test_harmless_input_leaves_nothing(findings: Path) -> None:
    assert fuzz.attempt("x", lambda data: None, b"good")
    assert not findings.exists()


def test_runner_stops_at_the_first_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def target(data: bytes) -> None:
        if b"\r\n" in data:
            raise ValueError(data)

    monkeypatch.setattr(fuzz, "load", lambda name: (target, [b"A"]))
    tried = fuzz.run_random("x", 20, seed=1, rounds=5000)
    assert -5000 < tried < 0


def test_mutations_are_bounded_and_repeatable() -> None:
    seeds = [b"FETCH 1:* (FLAGS)\r\n" * 900, b""]
    first, second = (
        [fuzz.mutate(rng, seeds) for _ in range(500)] for rng in (random.Random(7), random.Random(7))
    )
    assert first == second
    assert len(set(first)) > 100
    assert max(map(len, first)) <= fuzz.MAX_INPUT
