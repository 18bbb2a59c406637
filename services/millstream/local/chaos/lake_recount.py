"""The lake's files against the log, record by record; shares no code with the lake."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from millstream.local.chaos.apart import apart, hand_back
from millstream.local.recount import broker_ends, read_records

Content = tuple[bytes | None, bytes | None]
Place = tuple[int, int]


def folder_of(lake: Path, topic: str, partition: int) -> Path:
    return lake / f"topic={topic}" / f"partition={partition}"


def reach(folder: Path) -> int:
    """The offset after the last one in a partition's files."""
    return max((_range(path)[1] for path in folder.glob("*.parquet")), default=0)


async def compare_apart(servers: str, topic: str, lake: Path) -> list[str]:
    found: list[str] = await apart("millstream.local.chaos.lake_recount", servers, topic, str(lake))
    return found


async def compare(servers: str, topic: str, lake: Path) -> list[str]:
    """Where they differ, as sentences."""
    ends = await broker_ends(servers, topic)
    log: dict[Place, Content] = {}
    async for record in read_records(servers, topic, ends):
        log[record.partition, record.offset] = record.key, record.value
    found: dict[Place, Content] = {}
    repeated = 0
    for partition in ends:
        for offset, content in _records(folder_of(lake, topic, partition)):
            repeated += (partition, offset) in found
            found[partition, offset] = content
    missing = len(log.keys() - found.keys())
    others = sum(log.get(place) != content for place, content in found.items())
    if not (missing or others or repeated):
        return []
    return [f"the lake lacks {missing} records, has {repeated} twice and {others} that are others"]


def _records(folder: Path) -> Iterator[tuple[int, Content]]:
    """Of the files in force: one that lies within another was merged into it."""
    reached = 0
    for path in sorted(
        folder.glob("*.parquet"), key=lambda path: (_range(path)[0], -_range(path)[1])
    ):
        if _range(path)[1] <= reached:
            continue
        reached = _range(path)[1]
        frame = pl.read_parquet(path, columns=["offset", "key", "value"], hive_partitioning=False)
        for offset, key, value in frame.iter_rows():
            yield offset, (key, value)


def _range(path: Path) -> tuple[int, int]:
    start, _, stop = path.stem.partition("-")
    return int(start), int(stop)


if __name__ == "__main__":
    hand_back(asyncio.run(compare(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
