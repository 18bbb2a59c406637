"""Whose lists, and which items in them, are looked at by themselves: what a mean over all shoppers
would hide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from millstream.trainer.split import Query

OVERALL = "overall"
NEW_SHOPPERS = "new shoppers"
LIGHT = "light shoppers"
HEAVY = "heavy shoppers"
NEW_ITEMS = "new items"
LONG_TAIL = "long tail"
COUNTRY = "country "
"""Before the name of each."""

_COUNTRIES = 5
_NEW_SHARE = 0.1
_HEAD_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Segment:
    """`wanted[i]` is what the i-th query wants in this segment; nothing: it is not in it."""

    name: str
    wanted: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Groups:
    """Who and what was known before the exam; what is in none of these came later."""

    light: frozenset[str]
    heavy: frozenset[str]
    old_items: frozenset[str]
    head_items: frozenset[str]

    @classmethod
    def of(cls, before: pl.DataFrame) -> Groups:
        """`before`: (n, 6) in time order. Heavy shoppers have more lines than the median one; old
        items stood in the first nine tenths of the lines; the head are the most frequent items
        that together make four fifths of them."""
        shoppers = before.group_by("user").len("lines")
        heavy = pl.col("lines") > pl.col("lines").median()
        older = before.head(round(before.height * (1 - _NEW_SHARE)))
        counts = before.group_by("item").len("lines").sort(["lines", "item"], descending=True)
        ahead = counts["lines"].cum_sum() - counts["lines"]
        head = counts.filter(ahead < _HEAD_SHARE * before.height)
        return cls(
            frozenset(shoppers.filter(~heavy)["user"]),
            frozenset(shoppers.filter(heavy)["user"]),
            frozenset(older["item"]),
            frozenset(head["item"]),
        )


def countries_of(lines: pl.DataFrame) -> dict[str, str]:
    """Of each shopper the country that was told last. `lines`: as the lake gives them."""
    told = lines.filter(pl.col("country").is_not_null()).group_by("user").agg(pl.last("country"))
    return dict(told.rows())


def segments(
    groups: Groups, queries: Sequence[Query], countries: Mapping[str, str]
) -> list[Segment]:
    """All shoppers first. `countries`: of the shoppers for whom one was told; the countries with
    the most visits have a segment each."""
    light, heavy, old = groups.light, groups.heavy, groups.light | groups.heavy
    return [
        _segment(OVERALL, [query.wanted for query in queries]),
        _segment(NEW_SHOPPERS, [() if q.user in old else q.wanted for q in queries]),
        _segment(LIGHT, [q.wanted if q.user in light else () for q in queries]),
        _segment(HEAVY, [q.wanted if q.user in heavy else () for q in queries]),
        _segment(NEW_ITEMS, [query.wanted - groups.old_items for query in queries]),
        _segment(LONG_TAIL, [query.wanted - groups.head_items for query in queries]),
        *(_of_country(country, queries, countries) for country in _largest(queries, countries)),
    ]


def _largest(queries: Sequence[Query], countries: Mapping[str, str]) -> list[str]:
    visits = Counter(countries[query.user] for query in queries if query.user in countries)
    return sorted(visits, key=lambda country: (-visits[country], country))[:_COUNTRIES]


def _of_country(country: str, queries: Sequence[Query], countries: Mapping[str, str]) -> Segment:
    wanted = [q.wanted if countries.get(q.user) == country else () for q in queries]
    return _segment(f"{COUNTRY}{country}", wanted)


def _segment(name: str, wanted: Sequence[Collection[str]]) -> Segment:
    return Segment(name, tuple(map(frozenset, wanted)))
