"""Orders to the running server over its Unix socket."""

import asyncio
import os
import socket
from pathlib import Path

from quintet.admin import control


async def _status(request: control.Request) -> control.Answer:
    return {"got": request.get("x", 0)}


async def _broken(_: control.Request) -> control.Answer:
    raise ValueError("no")


async def _served(data: Path) -> control.Control:
    server = control.Control(data, {"status": _status, "break": _broken})
    await server.start()
    return server


async def test_every_worker_answers(tmp_path: Path) -> None:
    server = await _served(tmp_path)
    assert await control.tell(tmp_path, {"do": "status", "x": 3}) == [
        {"ok": True, "pid": os.getpid(), "got": 3}
    ]
    await server.close()
    assert await control.tell(tmp_path, {"do": "status"}) == []
    assert list((tmp_path / "run").iterdir()) == []


async def test_no_server_no_answer(tmp_path: Path) -> None:
    assert await control.tell(tmp_path / "absent", {"do": "status"}) == []


async def test_orders_that_fail_are_told_and_end_nothing(tmp_path: Path) -> None:
    server = await _served(tmp_path)
    [broken] = await control.tell(tmp_path, {"do": "break"})
    assert broken["ok"] is False
    assert broken["error"] == "ValueError: no"
    [unknown] = await control.tell(tmp_path, {"do": "dance"})
    assert unknown["error"] == "no such order; there are break, status"
    [odd] = await control.tell(tmp_path, {"no": "order"})
    assert odd["ok"] is False
    assert (await control.tell(tmp_path, {"do": "status"}))[0]["ok"] is True
    await server.close()


async def test_bytes_that_are_no_order_are_answered(tmp_path: Path) -> None:
    server = await _served(tmp_path)
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "run" / f"control.{os.getpid()}"))
    writer.write(b"\xff\n[]\n")
    assert b'"ok": false' in await reader.readline()
    assert b'"ok": false' in await reader.readline()
    writer.close()
    await server.close()


async def test_socket_of_a_dead_worker_is_removed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(run / "control.1"))
    assert await control.tell(tmp_path, {"do": "status"}) == []
    assert not (run / "control.1").exists()


async def test_deep_directory_is_reachable(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    server = await _served(deep)
    assert (await control.tell(deep, {"do": "status"}))[0]["ok"] is True
    assert (deep / "run" / f"control.{os.getpid()}").stat().st_mode & 0o777 == 0o600
    await server.close()
