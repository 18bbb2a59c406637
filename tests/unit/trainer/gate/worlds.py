"""An exam with a known answer: what each shopper wants, and lists that hold part of it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import polars as pl

from millstream.trainer.gate.exam import MODEL, WHOLE_LIST, Exam, Views
from millstream.trainer.split import Query

ITEMS = [f"i{number:03}" for number in range(200)]
SHOPPERS = [f"s{number:03}" for number in range(120)]
COUNT = len(SHOPPERS)
COUNTRIES = {shopper: "GB" if place % 10 else "FR" for place, shopper in enumerate(SHOPPERS)}
K = 20


def liked(shopper: str) -> list[str]:
    start = int(shopper[1:])
    return [ITEMS[(start + step) % len(ITEMS)] for step in range(6)]


def _exam() -> Exam:
    """Everybody bought six neighbouring things before, item 0 most often, and now wants three of
    them in one visit; every tenth shopper comes for the first time."""
    old = [shopper for place, shopper in enumerate(SHOPPERS) if place % 10]
    rows = [(shopper, ITEMS[0]) for shopper in old]
    rows += [(shopper, item) for shopper in old for item in liked(shopper)]
    before = pl.DataFrame(rows, ["user", "item"], orient="row").with_columns(
        type=pl.lit("purchase"), weight=pl.lit(1.0, pl.Float32), time_ms=pl.int_range(pl.len())
    )
    asked = [Query(s, 10_000 + n, (), frozenset(liked(s)[:3])) for n, s in enumerate(SHOPPERS)]
    return Exam.on(before, asked, K, COUNTRIES)


EXAM = _exam()


def views(hits: Sequence[int]) -> Views:
    """Of the three things that the n-th shopper wants, the lists hold the first hits[n]; the rest
    is what nobody wants, another one for everybody."""
    lists = [
        [*liked(shopper)[:count], *(f"other-{shopper}-{place}" for place in range(K - count))]
        for shopper, count in zip(SHOPPERS, hits, strict=True)
    ]
    return {WHOLE_LIST: lists, MODEL: lists}


def some_hits(seed: int) -> list[int]:
    drawn = random.Random(seed)
    return [drawn.randrange(4) for _ in SHOPPERS]
