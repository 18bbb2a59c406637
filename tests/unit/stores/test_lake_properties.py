"""What holds for any sequence of writes, merges and crashes between them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.domain.log import LogRecord
from millstream.stores.lake import (
    LakeWriter,
    Range,
    merge_small,
    offsets,
    records,
)
from millstream.stores.lake.merge import FEWEST_FILES, MOST_OFFSETS, run_to_merge
from millstream.stores.lake.ranges import outermost

TOPIC = "shop.events.v1"


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    """Merges at two files and rows going out three at a time, so that small cases reach both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("millstream.stores.lake.merge.FEWEST_FILES", 2)
        patch.setattr("millstream.stores.lake.read._ROWS_AT_ONCE", 3)
        yield


RANGES = st.lists(st.integers(0, 300), unique=True, min_size=2, max_size=30).map(sorted)


@given(edges=RANGES, extra=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29))))
def test_files_of_unfinished_merges_never_change_what_counts(
    edges: list[int], extra: list[tuple[int, int]]
) -> None:
    """Nested merges, as they come about: each covers whole ranges that stood before."""
    spans = [Range(a, b) for a, b in pairwise(edges)]
    present, standing = list(spans), list(spans)
    for first, last in extra:
        run = standing[min(first, last) : max(first, last) + 1]
        if run:
            merged = Range(run[0].start, run[-1].stop)
            present.append(merged)
            standing = outermost([*standing, merged])
    counted = outermost(present)
    assert counted == standing
    assert (counted[0].start, counted[-1].stop) == (edges[0], edges[-1])
    assert all(a.stop == b.start for a, b in pairwise(counted))


@given(spans=st.lists(st.integers(1, MOST_OFFSETS), min_size=1, max_size=200))
def test_merging_keeps_files_few_and_bounded(spans: list[int]) -> None:
    standing: list[Range] = []
    for span in spans:
        start = standing[-1].stop if standing else 0
        standing.append(Range(start, start + span))
        run = run_to_merge(standing)
        if run:
            assert run == standing[-len(run) :]
            merged = Range(run[0].start, run[-1].stop)
            assert merged.span <= MOST_OFFSETS
            standing[-len(run) :] = [merged]
    # At best the files are full; the small ones among them are counted by the logarithm.
    assert len(standing) <= 2 * sum(spans) / MOST_OFFSETS + FEWEST_FILES + 17


@given(spans=st.integers(1, 400).flatmap(lambda n: st.just([7] * n)))
def test_equal_flushes_are_rewritten_a_logarithmic_number_of_times(spans: list[int]) -> None:
    standing: list[Range] = []
    rewritten = 0
    for span in spans:
        start = standing[-1].stop if standing else 0
        standing.append(Range(start, start + span))
        run = run_to_merge(standing)
        if run:
            rewritten += sum(part.span for part in run)
            standing[-len(run) :] = [Range(run[0].start, run[-1].stop)]
    assert rewritten <= 10 * sum(spans)


Row = tuple[int, int, int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...], bool]
TEXT = st.text(max_size=5)
HEADERS = st.lists(st.tuples(TEXT, st.binary(max_size=5)), max_size=3).map(tuple)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),  # partition
        st.integers(1, 3),  # distance to the offset before it
        st.integers(-1, 20),  # log time: it may fall back inside a partition
        st.none() | st.binary(max_size=8),
        st.none() | st.binary(max_size=8),
        HEADERS,
        st.booleans(),  # the range ends after it
    ),
    max_size=40,
)


@given(rows=ROWS, since=st.none() | st.integers(-1, 21))
def test_any_sequence_of_writes_reads_back_exactly(
    eager: None, tmp_path_factory: pytest.TempPathFactory, rows: list[Row], since: int | None
) -> None:
    root = tmp_path_factory.mktemp("lake")
    waiting: dict[int, list[LogRecord]] = {}
    ends: dict[int, int] = {}
    written: list[LogRecord] = []
    with LakeWriter(root) as lake:
        for partition, step, log_ms, key, value, headers, end in rows:
            batch = waiting.setdefault(partition, [])
            before = batch[-1].offset if batch else ends.get(partition, 0) - 1
            batch.append(LogRecord(TOPIC, partition, before + step, log_ms, key, value, headers))
            if end:
                span = Range(ends.get(partition, 0), batch[-1].offset + 1)
                lake.write(TOPIC, partition, span, batch)
                merge_small(lake, TOPIC, partition)
                ends[partition] = span.stop
                written += batch
                waiting[partition] = []
    wanted = [r for r in written if since is None or r.log_ms >= since]
    wanted.sort(key=lambda r: (r.log_ms, r.partition, r.offset))
    assert list(records(root, TOPIC, since)) == wanted
    assert offsets(root, TOPIC) == ends
