"""The files of a lake as the recount reads them: ranges within others count no more."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from millstream.local.chaos import lake_recount
from millstream.local.chaos.lake_recount import compare, folder_of, reach


class Record:
    def __init__(self, offset: int) -> None:
        self.partition, self.offset = 0, offset
        self.key, self.value = b"k", b"%d" % offset


def write(folder: Path, start: int, stop: int, spoil: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    offsets = list(range(start, stop))
    values = [b"other" if spoil else b"%d" % offset for offset in offsets]
    frame = pl.DataFrame({"offset": offsets, "key": [b"k"] * len(offsets), "value": values})
    frame.write_parquet(folder / f"{start:020d}-{stop:020d}.parquet")


@pytest.fixture
def log_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends(*_: object) -> dict[int, int]:
        return {0: 10}

    async def records(*_: object):  # type: ignore[no-untyped-def]
        for offset in range(10):
            yield Record(offset)

    monkeypatch.setattr(lake_recount, "broker_ends", ends)
    monkeypatch.setattr(lake_recount, "read_records", records)


@pytest.mark.usefixtures("log_of_ten")
@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([(0, 4), (4, 10)], []),
        ([(0, 4), (4, 10), (0, 10)], []),
        ([(0, 4), (5, 10)], ["the lake lacks 1 records, has 0 twice and 0 that are others"]),
        ([(0, 5), (4, 10)], ["the lake lacks 0 records, has 1 twice and 0 that are others"]),
    ],
)
async def test_what_is_missing_or_there_twice_is_told(
    tmp_path: Path, files: list[tuple[int, int]], found: list[str]
) -> None:
    folder = folder_of(tmp_path, "t", 0)
    for start, stop in files:
        write(folder, start, stop)
    assert reach(folder) == 10
    assert await compare("", "t", tmp_path) == found


@pytest.mark.usefixtures("log_of_ten")
async def test_another_content_is_told(tmp_path: Path) -> None:
    write(folder_of(tmp_path, "t", 0), 0, 10, spoil=True)
    assert await compare("", "t", tmp_path) == [
        "the lake lacks 0 records, has 0 twice and 10 that are others"
    ]
