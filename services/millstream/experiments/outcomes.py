"""What the shoppers of a variant did within a day of their first list in it, as sums.

A shopper is one unit, whatever they saw: what one shopper does with many places is correlated, and
places counted as if each were drawn by itself make every difference look surer than it is. Sums of
squares and products carry what is needed of each shopper's own counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

WINDOW_MS = 24 * 3600 * 1000
"""A shopper's outcome is what they did so long from their first list on; then it is settled."""
COHORT_MS = 6 * 3600 * 1000
"""Shoppers who came within the same quarter of a day are summed up, and settle, together."""


@dataclass(slots=True)
class Outcomes:
    """`saw`: shoppers to whom any place was told as shown. `seen`, `hit`: places shown, and clicked
    as well, of all of them."""

    shoppers: int = 0
    clicked: int = 0
    bought: int = 0
    saw: int = 0
    seen: int = 0
    hit: int = 0
    seen_seen: int = 0
    hit_hit: int = 0
    seen_hit: int = 0

    def add(self, counted: Mapping[str, int]) -> None:
        """By the names of the fields."""
        for name, n in counted.items():
            setattr(self, name, getattr(self, name) + n)


NAMES = tuple(each.name for each in fields(Outcomes))


def cohort_of(log_ms: int) -> int:
    """The time at which it begins."""
    return log_ms - log_ms % COHORT_MS


def by_variant(
    cohorts: Mapping[tuple[str, str, str], int], to_ms: int
) -> tuple[dict[str, int], dict[str, Outcomes]]:
    """Per variant: all shoppers, and the sums of those who are settled. `cohorts`: by label, time
    at which it begins in ms, and what was counted; whole up to `to_ms`."""
    shoppers: dict[str, int] = {}
    settled: dict[str, Outcomes] = {}
    for (label, begins, what), n in cohorts.items():
        variant = label.partition(":")[2]
        if what == "shoppers":
            shoppers[variant] = shoppers.get(variant, 0) + n
        if is_settled(int(begins), to_ms):
            settled.setdefault(variant, Outcomes()).add({what: n})
    return shoppers, settled


def is_settled(cohort_ms: int, now_ms: int) -> bool:
    """Whether nothing that a shopper of it does from now on counts."""
    return cohort_ms + COHORT_MS + WINDOW_MS <= now_ms
