"""Hooks and rates in a running server: read at the start, again by a reload, shown and reset by orders."""

import dataclasses
from pathlib import Path

import pytest

from quintet import launch, log
from quintet.admin import control
from quintet.admin.cli import build
from quintet.admin.cli.common import guarded
from quintet.config.policy import Policy, Rates
from tests.support.server import start_server
from tests.unit.app.test_app import connect, hang_up, say

HOOKS = "from quintet.policy.hooks import refuse\ndef helo(peer): return refuse('{}')\n"


def with_policy(**options):
    def change(config):
        return dataclasses.replace(config, policy=Policy(**options))

    return change


async def helo(server) -> str:
    line = await connect(server, "smtp")
    await say(line, "NOOP")  # the greeting
    answer = (await say(line, "HELO client.example.net"))[0]
    answer = (await say(line, "NOOP"))[0] if answer.startswith("250 2.0.0") else answer
    await hang_up(line)
    return answer


async def test_reload_reads_the_hooks_again_and_keeps_them_when_they_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "hooks.py"
    path.write_text(HOOKS.format("first"))
    async with start_server(tmp_path / "a") as server:
        assert (await helo(server)).startswith("250 ")
        config = with_policy(hooks=str(path))(server.app.config)
        await server.app.reload(config)
        assert await helo(server) == "550 5.7.1 first"
        path.write_text(HOOKS.format("second"))
        await server.app.reload(config)
        assert await helo(server) == "550 5.7.1 second"
        path.write_text("no python")
        with log.capture() as lines:
            await server.app.reload(config)
        assert "hooks not taken" in [line["event"] for line in lines]
        assert await helo(server) == "550 5.7.1 second"
        await server.app.reload(with_policy()(config))
        assert (await helo(server)).startswith("250 ")


async def test_rates_are_shown_and_reset_by_orders(tmp_path: Path) -> None:
    async with start_server(tmp_path / "a") as server:
        rates = Rates(address_messages="1/hour", table=1024)
        await server.app.reload(with_policy(rates=rates)(server.app.config))
        meter = server.app.rules.rates.meters["address_messages"]
        now = server.app.clock.now() / 1000
        meter.take("192.0.2.1", now)
        assert meter.wait("192.0.2.1", now) > 0
        data = server.app.config.data
        for name in ("", "192.0.2.1"):
            (answer,) = await control.tell(data, {"do": "policy", "what": "show", "name": name})
            assert answer["limits"] == [
                {"rate": "address_messages", "limit": 1, "window_s": 3600.0, "in_use": 1}
            ]
            assert [each["name"] for each in answer["buckets"]] == ["192.0.2.1"]
        await control.tell(data, {"do": "policy", "what": "reset", "name": "192.0.2.1"})
        assert meter.wait("192.0.2.1", now) == 0


async def test_wrong_hooks_stop_a_start(tmp_path: Path) -> None:
    from quintet.app import App
    from tests.support.server import configured

    (tmp_path / "hooks.py").write_text("x = 1\n")
    config = with_policy(hooks=str(tmp_path / "hooks.py"))(configured(tmp_path / "a"))
    with pytest.raises(launch.CannotStart, match="none of the functions"):
        await App(config).start()


def test_command_says_that_no_server_runs(tmp_path: Path, capsys) -> None:
    path = tmp_path / "quintet.toml"
    path.write_text('[store]\ndata = "data"\n')
    assert guarded(build(), ["policy", "show", "-c", str(path)]) != 0
    assert "does not run" in capsys.readouterr().err
    assert guarded(build(), ["policy", "reset", "-c", str(path)]) == 2
