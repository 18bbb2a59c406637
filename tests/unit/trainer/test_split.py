"""The parts follow each other in time, and a list is asked for before the visit it is judged by."""

from __future__ import annotations

import itertools

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.trainer.settings import Measuring, TrainerSettings
from millstream.trainer.split import inner_queries, queries, split_by_time

RULE = TrainerSettings(test_share=0.2, validation_share=0.1).measuring()
MINUTE = 60_000


def lines_of(*rows: tuple[str, str, str, int]) -> pl.DataFrame:
    """user, type, item, minute; as stage 2 gives them."""
    schema = {"user": pl.String, "type": pl.String, "item": pl.String, "time_ms": pl.Int64}
    frame = pl.DataFrame(rows, schema, orient="row")
    return frame.with_columns(
        event_id=pl.concat_str("user", pl.lit("-"), "time_ms"),
        weight=pl.lit(1.0, dtype=pl.Float32),
        time_ms=pl.col("time_ms") * MINUTE,
    )


@given(st.lists(st.integers(0, 30), max_size=60))
def test_parts_are_whole_and_never_share_a_time(minutes: list[int]) -> None:
    lines = lines_of(*(("u", "view_item", f"i{n}", m) for n, m in enumerate(sorted(minutes))))
    parts = split_by_time(lines, RULE)
    assert pl.concat([parts.train, parts.validation, parts.test]).equals(lines)
    held = [p["time_ms"] for p in (parts.train, parts.validation, parts.test) if len(p)]
    for earlier, later in itertools.pairwise(held):
        assert earlier[-1] < later[0], "an event was cut in two"


def test_the_shares_are_of_lines() -> None:
    parts = split_by_time(lines_of(*(("u", "view_item", "i", m) for m in range(100))), RULE)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (70, 10, 20)


def test_a_visits_own_looks_do_not_give_its_purchase_away() -> None:
    before = lines_of(("ann", "purchase", "tea", 0), ("ann", "view_item", "cup", 1))
    part = lines_of(
        ("ann", "view_item", "pot", 100),
        ("ann", "purchase", "pot", 110),
        ("ann", "purchase", "jam", 200),
    )
    first, second = queries(before, part, RULE)
    assert (first.recent_items, first.wanted, first.at_ms) == (
        ["cup", "tea"],
        frozenset({"pot"}),
        100 * MINUTE,
    )
    assert (second.recent_items, second.wanted) == (["pot", "cup", "tea"], frozenset({"jam"}))
    assert second.recent[0] == ("pot", "purchase", 110 * MINUTE)


def test_visits_without_a_purchase_count_only_where_nobody_buys() -> None:
    looks = lines_of(("ann", "view_item", "tea", 0), ("bob", "view_item", "cup", 1))
    assert [q.wanted for q in queries(looks[:0], looks, RULE)] == [{"tea"}, {"cup"}]
    bought = pl.concat([looks, lines_of(("eve", "purchase", "jam", 2))])
    assert [q.user for q in queries(looks[:0], bought, RULE)] == ["eve"]


def test_recent_items_stand_once_newest_first_and_bounded() -> None:
    rule = msgspec.structs.replace(RULE, recent_items=2)
    before = lines_of(
        ("ann", "view_item", "a", 0),
        ("ann", "view_item", "b", 1),
        ("ann", "view_item", "c", 2),
        ("ann", "view_item", "a", 3),
    )
    (query,) = queries(before, lines_of(("ann", "purchase", "d", 99)), rule)
    assert query.recent_items == ["a", "c"]


def test_a_stranger_has_no_recent_items() -> None:
    (query,) = queries(lines_of(), lines_of(("ann", "purchase", "d", 9)), RULE)
    assert query.recent == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_too_many_visits_are_drawn_evenly_and_the_same_each_time(seed: int) -> None:
    rule: Measuring = msgspec.structs.replace(RULE, max_queries=10, seed=seed)
    part = lines_of(*((f"u{n}", "purchase", "i", n) for n in range(100)))
    drawn = queries(part[:0], part, rule)
    assert len(drawn) == 10
    assert [q.at_ms for q in drawn] == sorted(q.at_ms for q in drawn)
    assert drawn == queries(part[:0], part, rule)


def test_inside_a_visit_lists_are_asked_for_what_is_new_to_the_shopper() -> None:
    before = lines_of(("ann", "purchase", "tea", 0))
    part = lines_of(
        ("ann", "view_item", "pot", 100),
        ("ann", "view_item", "cup", 110),
        ("bob", "view_item", "tea", 111),
        ("ann", "view_item", "tea", 112),
        ("ann", "view_item", "cup", 113),
        ("ann", "purchase", "jam", 200),
        ("ann", "purchase", "jug", 210),
        ("ann", "purchase", "lid", 210),
    )
    found = inner_queries(before, part, RULE)
    assert [(query.user, query.recent_items, query.wanted) for query in found] == [
        ("ann", ["pot", "tea"], frozenset({"cup"})),
        ("ann", ["jam", "cup", "tea", "pot"], frozenset({"jug", "lid"})),
    ]
    assert found[0].recent[0] == ("pot", "view_item", 100 * MINUTE)


def test_so_many_are_drawn_as_the_rule_says() -> None:
    part = lines_of(*(("ann", "view_item", f"i{n}", n) for n in range(50)))
    rule = msgspec.structs.replace(RULE, max_queries=10)
    found = inner_queries(lines_of(), part, rule)
    assert len(found) == 10
    assert [query.at_ms for query in found] == sorted(query.at_ms for query in found)
    assert found == inner_queries(lines_of(), part, rule)
