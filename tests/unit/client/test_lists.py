"""Newest wins, and what is kept stays bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from millstream.client.lists import NewestLists
from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def made(offset: int, *, seconds: int = 0, partition: int = 0) -> bytes:
    moment = NOON + timedelta(seconds=seconds)
    return msgspec.json.encode(
        RecommendationList(
            recommendation_id=f"r{partition}-{offset}",
            tenant="default",
            user="u",
            variant="a",
            items=(RankedItem("i", 0.5, Source.POPULAR, "popular today"),),
            model_version="m1",
            settings_digest="d",
            origin=Origin("shop.events.v1", partition, offset),
            event_time=moment,
            log_time=moment,
            published_at=moment,
        )
    )


def test_an_older_list_never_takes_a_newer_ones_place() -> None:
    lists = NewestLists(10)
    for value, standing in [
        (made(5), "r0-5"),
        (made(4), "r0-5"),
        (made(6), "r0-6"),
        (made(1, seconds=1, partition=3), "r3-1"),
        (made(9), "r3-1"),
    ]:
        lists.put(b"default:u", value)
        found = lists.get(b"default:u")
        assert found is not None
        assert found.recommendation_id == standing


def test_a_null_removes_and_rubbish_changes_nothing() -> None:
    lists = NewestLists(10)
    lists.put(b"k", None)
    lists.put(b"k", made(1))
    for rubbish in (b"", b"{", b"\xff", b"{}", b"[" * 5000):
        lists.put(b"k", rubbish)
    assert lists.get(b"k") is not None
    lists.put(b"k", None)
    assert lists.get(b"k") is None


def test_the_least_lately_used_are_forgotten() -> None:
    lists = NewestLists(3)
    for name in (b"a", b"b", b"c"):
        lists.put(name, made(1))
    lists.get(b"a")
    lists.put(b"b", made(2))
    lists.put(b"d", made(1))
    assert len(lists) == 3
    assert lists.get(b"c") is None
    assert None not in {lists.get(b"a"), lists.get(b"b"), lists.get(b"d")}
