"""What of each partition comes from where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from millstream.domain.errors import Halt


@dataclass(frozen=True, slots=True)
class Held:
    """Offsets `[start, stop)` that the log, or the lake, has of a partition."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Span:
    """Of one partition: `[start, lake_to)` from the lake, `[lake_to, end)` from the log."""

    partition: int
    start: int
    lake_to: int
    end: int

    @property
    def total(self) -> int:
        return self.end - self.start


def plan(
    starts: Mapping[int, int], log: Mapping[int, Held], lake: Mapping[int, Held], of: str = "events"
) -> list[Span]:
    """`starts`: by partition the first offset that is not counted. The log is read where it can
    be. Raises Halt naming the offsets that neither has. `of`: as `millstream fences` calls it."""
    spans = [_span(partition, start, log, lake) for partition, start in starts.items()]
    missing = [gap for span in spans for gap in _missing(span, lake.get(span.partition))]
    if missing:
        raise Halt(
            f"neither the log nor the lake has {_told(missing)}, and they are still to be counted. "
            f"If they never were to be, run `millstream fences init --of {of} --at earliest` "
            "(after `millstream init`) and this again. See deploy/runbooks/retention-passed.md"
        )
    return spans


def share(spans: Iterable[Span], processes: int) -> list[list[Span]]:
    """The spans in as many lists, about equally long; without those that have nothing."""
    shares: list[list[Span]] = [[] for _ in range(processes)]
    for span in sorted(spans, key=lambda span: (-span.total, span.partition)):
        if span.total:
            min(shares, key=lambda held: sum(one.total for one in held)).append(span)
    return [held for held in shares if held]


def _span(partition: int, start: int, log: Mapping[int, Held], lake: Mapping[int, Held]) -> Span:
    if partition not in log:
        end = max(start, lake[partition].stop if partition in lake else start)
        return Span(partition, start, end, end)
    told = log[partition]
    end = max(start, told.stop)
    return Span(partition, start, min(max(start, told.start), end), end)


def _missing(span: Span, lake: Held | None) -> list[tuple[int, int, int]]:
    """(partition, from, to) of what is to come from the lake and is not there."""
    start, stop = span.start, span.lake_to
    if start == stop:
        return []
    if lake is None or lake.stop <= start or lake.start >= stop:
        return [(span.partition, start, stop)]
    gaps = [(span.partition, start, lake.start), (span.partition, lake.stop, stop)]
    return [gap for gap in gaps if gap[1] < gap[2]]


def _told(missing: Iterable[tuple[int, int, int]]) -> str:
    return ", ".join(
        f"offsets {start} to {stop - 1} of partition {partition}"
        for partition, start, stop in missing
    )
