"""`millstream bench scoring`: what it costs to find a shopper's nearest items, and what is found.

Clustered vectors (benchmarks/made_vectors.py). A list is the `CANDIDATES` items that ranking asks
the model for, found by the scorer that workers use: exactly, or through the index that the trainer
makes from `index_from` items on. `lists_per_s` is in batches, as a worker asks under load; `p99_ms`
is the time of one shopper alone. Cost, and so growth, is CPU time, on one thread. `recall` is of
the exact first 20, for shoppers that the index was not calibrated on, a few at a time: large
batches over few items are searched exactly (model/scorer.py)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from benchmarks.machine import machine
from benchmarks.made_vectors import make, nearest_to_few
from numpy.typing import NDArray
from rich.console import Console

from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.indexing import MEASURED, recall_of, top_k_of, with_index
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Rows

Row = dict[str, int | float | bool | None]

DIMENSIONS = 96
CANDIDATES = 60
BATCH = 256
SHOPPERS = 512
MAX_GROWTH = 4.0
MIN_RECALL = 0.98
BASE_ITEMS = 40_000
_SINGLE_CALLS = 200
_WARM_UP_CALLS = 5
_SEED = 1


class Speed(NamedTuple):
    lists_per_s: float
    cpu_us_per_list: float


def fastest(scorer: Scorer, vectors: FloatArray, batch: int, seconds: float) -> Speed:
    """Of the rounds, since others may be at work."""
    wall, cpu = map(min, zip(*rounds_of(scorer, vectors, batch, seconds, CANDIDATES), strict=True))
    return Speed(len(vectors) / wall, cpu / len(vectors) * 1e6)


def rounds_of(
    scorer: Scorer, vectors: FloatArray, batch: int, seconds: float, k: int
) -> list[tuple[float, float]]:
    """The scoring alone of lists: product or index, and top-k, by the scorer's own code; on as
    many threads as BLAS has. Goes through `vectors` (n, d) in batches for about `seconds`, at
    least once; (wall, CPU) seconds of each round."""
    rounds: list[tuple[float, float]] = []
    ends = time.perf_counter() + seconds
    while not rounds or time.perf_counter() < ends:
        began, cpu = time.perf_counter(), time.process_time()
        for block in _batches(vectors, batch):
            scorer.nearest(block, k)
        rounds.append((time.perf_counter() - began, time.process_time() - cpu))
    return rounds


def measure(items: int, index_from: int, seconds: float) -> Row:
    """Blocks; a million items take a minute and 1.2 GB."""
    parts, asking = make(items, DIMENSIONS, SHOPPERS, _SEED)
    exact = top_k_of(parts.item_vectors, asking * np.float32(parts.dense_weight), MEASURED)
    exact_ids = _ids(parts, exact)
    began = time.perf_counter()
    indexed = with_index(parts, _SEED) if items >= index_from else None
    build_s = time.perf_counter() - began
    parts = parts if indexed is None else indexed
    scorer = Scorer(parts)
    speed = fastest(scorer, asking, BATCH, seconds)
    found = nearest_to_few(scorer, asking, CANDIDATES)
    return {
        "items": items,
        "lists_per_s": round(speed.lists_per_s, 1),
        "p99_ms": round(_single_p99_ms(scorer, asking), 3),
        "recall": round(recall_of(_ids(parts, found[:, :MEASURED]), exact_ids), 4),
        "cpu_us_per_list": round(speed.cpu_us_per_list, 1),
        **_about_index(parts, build_s),
    }


def _ids(parts: Embeddings, rows: Rows) -> NDArray[np.str_]:
    """Rows of two versions of the same items differ, their ids do not."""
    return np.array([[parts.items[row] for row in line] for line in rows.tolist()])


def _about_index(parts: Embeddings, build_s: float) -> Row:
    if parts.index is None:
        return {"lists": None, "probes": None, "build_s": None}
    index = parts.index
    return {"lists": len(index.centres), "probes": index.probes, "build_s": round(build_s, 1)}


def _single_p99_ms(scorer: Scorer, vectors: FloatArray) -> float:
    times = []
    for call in range(_WARM_UP_CALLS + _SINGLE_CALLS):
        place = call % len(vectors)
        began = time.perf_counter()
        scorer.nearest(vectors[place : place + 1], CANDIDATES)
        times.append(time.perf_counter() - began)
    return float(np.percentile(times[_WARM_UP_CALLS:], 99)) * 1000


def _batches(vectors: FloatArray, batch: int) -> Iterator[FloatArray]:
    return (vectors[start : start + batch] for start in range(0, len(vectors), batch))


def judge(rows: Sequence[Row]) -> tuple[float, list[str]]:
    """How many times dearer a list is with the most items than with BASE_ITEMS (or the fewest),
    and what is not as promised."""
    by_items = {int(row["items"] or 0): row for row in rows}
    base = by_items.get(BASE_ITEMS, by_items[min(by_items)])
    most = by_items[max(by_items)]
    growth = float(most["cpu_us_per_list"] or 0) / float(base["cpu_us_per_list"] or 1)
    failed = []
    if growth > MAX_GROWTH:
        failed.append(
            f"a list of {most['items']} items costs {growth:.1f} times one of {base['items']}, "
            f"promised is at most {MAX_GROWTH:g}"
        )
    failed += [
        f"recall of {row['items']} items is {row['recall']}, promised is at least {MIN_RECALL}"
        for row in rows
        if float(row["recall"] or 0) < MIN_RECALL
    ]
    return growth, failed


def main(items: Sequence[int], index_from: int, seconds: float, console: Console) -> dict[str, Any]:
    facts = machine()
    rows = []
    for count in sorted(items):
        console.print(f"{count:,} items: making vectors, then asking …")
        rows.append(measure(count, index_from, seconds))
        console.print(
            f"{count:,} items: {rows[-1]['lists_per_s']:,} lists/s, recall {rows[-1]['recall']}"
        )
    growth, failed = judge(rows)
    return {
        "rows": rows,
        "growth": round(growth, 2),
        "failed": failed,
        "vectors": "clustered",
        "dimensions": DIMENSIONS,
        "batch": BATCH,
        "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS", "all"),
        "broker": "none",
        "redis": "none",
        **facts,
    }
