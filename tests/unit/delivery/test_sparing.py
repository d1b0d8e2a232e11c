"""What a peer causes is logged so often a minute, and counted for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quintet import log, metrics
from quintet.config.nntp import Nntp
from quintet.config.peers import Peer
from quintet.delivery import sparing
from quintet.delivery.arrivalbatch import Fate
from quintet.delivery.arrivals import Source
from tests.support.feedhouse import until
from tests.support.newshouse import NewsHouse, news_house

PEERS = (Peer(name="up", accept="*"), Peer(name="down", accept="*"))


async def _refused(house: NewsHouse, peer: Peer, count: int) -> None:
    here = house.arrivals
    assert here is not None
    source = Source(peer, "127.0.0.1", "c", here.offers.owner())
    outcomes = await here.take(source, [(b"<%d@x>" % number, b"garbage", True) for number in range(count)])
    assert [outcome.fate for outcome in outcomes] == [Fate.REFUSED] * count


def _lines(events: list[dict[str, Any]], event: str, peer: str) -> list[dict[str, Any]]:
    return [one for one in events if one["event"] == event and one.get("peer") == peer]


def _counted(peer: str) -> float:
    labels = {"peer": peer, "result": "refused"}
    return metrics.REGISTRY.get_sample_value("quintet_peer_articles_in_total", labels) or 0.0


async def test_refused_articles_are_so_many_lines_a_minute_for_each_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparing, "MOST", 5)
    async with news_house(tmp_path, Nntp(peer=PEERS)) as house:
        before = _counted("up")
        with log.capture() as events:
            await _refused(house, PEERS[0], 3)
            await _refused(house, PEERS[0], 20)
            await _refused(house, PEERS[1], 2)
            assert len(_lines(events, "article refused", "up")) == 5
            assert len(_lines(events, "article refused", "down")) == 2
            assert not _lines(events, "more articles refused", "up")
            assert house.arrivals is not None
            await house.arrivals.close()
        assert [one["count"] for one in _lines(events, "more articles refused", "up")] == [18]
        assert not _lines(events, "more articles refused", "down")
        assert _counted("up") - before == 23


async def test_a_period_ends_by_itself_and_the_next_has_lines_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparing, "MOST", 2)
    monkeypatch.setattr(sparing, "PERIOD_S", 0.3)
    async with news_house(tmp_path, Nntp(peer=PEERS)) as house:
        with log.capture() as events:
            await _refused(house, PEERS[0], 10)
            await until(lambda: bool(_lines(events, "more articles refused", "up")))
            await _refused(house, PEERS[0], 1)
        assert [one["count"] for one in _lines(events, "more articles refused", "up")] == [8]
        assert len(_lines(events, "article refused", "up")) == 3
