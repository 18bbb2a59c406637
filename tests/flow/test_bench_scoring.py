"""The scoring benchmark at a small size: the command as typed, with an index and without."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from benchmarks.scoring import Row, judge

from millstream.cli.bench import ROOT

# A process of its own: BLAS reads how many threads it may use when numpy is imported.
COMMAND = (sys.executable, "-c", "from millstream.cli.bench import app; app()", "scoring")
SMALL = ("--items", "1000", "--items", "6000", "--index-from", "5000", "--seconds", "0.2", "--json")


def test_small_shops_are_searched_exactly_and_large_ones_through_an_index() -> None:
    done = subprocess.run(
        [*COMMAND, *SMALL], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )
    [line] = done.stdout.splitlines()
    result = json.loads(line)
    exact, indexed = result["rows"]
    assert (exact["items"], exact["recall"], exact["lists"]) == (1000, 1.0, None)
    assert indexed["items"] == 6000
    assert 0 < indexed["probes"] < indexed["lists"]
    assert 0.9 < indexed["recall"] <= 1.0
    assert all(row["lists_per_s"] > 0 and row["p99_ms"] > 0 for row in result["rows"])
    assert result["vectors"] == "clustered"
    assert (result["dimensions"], result["blas_threads"]) == (96, "1")
    assert result["cpus"] > 0
    # Whether so small a shop keeps the promise is not the question here, whether it is told is.
    assert done.returncode == (3 if result["failed"] else 0), done.stderr


def row(items: int, cost: float, recall: float = 1.0) -> Row:
    return {"items": items, "cpu_us_per_list": cost, "recall": recall}


@pytest.mark.parametrize(
    ("rows", "growth", "failures"),
    [
        ([row(10_000, 1), row(40_000, 10), row(1_000_000, 39)], 3.9, 0),
        ([row(10_000, 100), row(40_000, 10), row(1_000_000, 41)], 4.1, 1),
        ([row(1_000, 10), row(2_000, 20, 0.979)], 2.0, 1),
        ([row(40_000, 10, 0.5), row(200_000, 10, 0.9), row(1_000_000, 50, 0.98)], 5.0, 3),
    ],
)
def test_what_is_not_as_promised_is_told(rows: list[Row], growth: float, failures: int) -> None:
    found, failed = judge(rows)
    assert found == pytest.approx(growth)
    assert len(failed) == failures
