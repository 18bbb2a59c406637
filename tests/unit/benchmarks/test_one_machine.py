"""The bench of a trainer by size: the lake that it fills is the traffic, each event once."""

from __future__ import annotations

from pathlib import Path

from benchmarks.made_traffic import EVENTS_PER_SHOPPER, PARTITIONS, Size
from benchmarks.one_machine import TENANT, Spending, fill, read_alone

from millstream.settings import ConnectionSettings
from millstream.stores.lake import offsets, read_accepted
from millstream.streaming.topics import EVENTS

SIZE = Size(users=100, items=50)


def test_the_lake_has_each_event_once_and_is_read_like_the_trainer_s(tmp_path: Path) -> None:
    settings = ConnectionSettings.model_construct(lake_dir=tmp_path, topic_prefix="t.")
    fill(settings, SIZE)
    topic = settings.topic(EVENTS)
    events = SIZE.users * EVENTS_PER_SHOPPER
    ends = offsets(tmp_path, topic)
    assert sorted(ends) == list(range(PARTITIONS))
    assert sum(ends.values()) == events
    rows = read_accepted(tmp_path, topic, TENANT)
    assert rows.height == rows["event_id"].n_unique() == events
    assert rows["user"].n_unique() == SIZE.users
    took = read_alone(tmp_path, topic)
    assert took.cpu_seconds > 0
    assert took.peak_mib > 20


def test_a_row_is_by_events() -> None:
    row = Spending(2.0, 100.0).told("read", SIZE)
    assert (row["events"], row["shoppers"]) == (2_000, 100)
    assert row["cpu_us_per_event"] == 1_000.0
