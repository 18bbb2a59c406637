"""Fairness at the exam: quality by group of shoppers, exposure and relevance by group of items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from math import log2

import numpy as np

from millstream.domain.catalogue import CatalogueItem
from millstream.model.fairness import BoundCost, Fairness, ItemGroup, ShopperGroup
from millstream.model.scorer import Scorer
from millstream.trainer.gate.bootstrap import paired
from millstream.trainer.gate.bounds import exposure
from millstream.trainer.gate.exam import Exam, Lists, measured
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.gate.segments import COUNTRY, HEAVY, LIGHT, NEW_SHOPPERS, Segment
from millstream.trainer.whole_list import Lists as StandingLists

_CATEGORIES = 10
_CUTS = (0.25, 0.5, 0.75)
_NONE = "none given"
_BOUNDS = (20, 15, 10, 5)

GroupOf = Callable[[str], str]


def fairness(
    exam: Exam, lists: Lists, catalogue: Mapping[str, CatalogueItem], rule: GateRule
) -> Fairness:
    """`lists`: whole lists, for each of the exam's queries."""
    shoppers = [
        _shopper_group(exam, lists, segment, rule)
        for segment in exam.segments
        if segment.name in {NEW_SHOPPERS, LIGHT, HEAVY} or segment.name.startswith(COUNTRY)
    ]
    exposed, wanted = _exposed(lists), _wanted(exam)
    groups = {
        "category": _category_of(catalogue, wanted),
        "price": _price_band_of(catalogue, exam.known_items),
        "age": lambda item: "old" if item in exam.groups.old_items else "new",
        "popularity": lambda item: "head" if item in exam.groups.head_items else "long tail",
    }
    items = [
        group
        for kind, group_of in groups.items()
        for group in _item_groups(kind, group_of, exam, exposed, wanted)
    ]
    return Fairness(tuple(shoppers), tuple(items))


def bound_costs(exam: Exam, scorer: Scorer, shop: StandingLists, rule: GateRule) -> list[BoundCost]:
    """Of bounds from none to a quarter of a list, on the exam's visits. Blocks for seconds."""
    overall, found = exam.segments[0], []
    free: dict[str, float] = {}
    for places in _BOUNDS if exam.queries else ():
        lists = [line[: exam.k] for line in shop.bounded(places)(exam.queries, scorer)]
        quality = measured(exam, lists, overall)
        recall = quality.per_user(quality.recall)
        free = free or recall
        there = paired(recall, free, rule.resamples, rule.seed)
        tail = exposure(lists, exam.known_items, exam.groups.head_items).tail_share
        found.append(BoundCost(places, there.ours, there.low, there.high, tail))
    return found


def _shopper_group(exam: Exam, lists: Lists, segment: Segment, rule: GateRule) -> ShopperGroup:
    quality = measured(exam, lists, segment)
    values = []
    for metric in (quality.recall, quality.mrr):
        by_shopper = quality.per_user(metric)
        if by_shopper:
            nothing = dict.fromkeys(by_shopper, 0.0)
            found = paired(by_shopper, nothing, rule.resamples, rule.seed)
            values += [found.ours, found.low, found.high]
        else:
            values += [0.0, 0.0, 0.0]
    return ShopperGroup(segment.name, len(set(quality.users)), *values)


def _exposed(lists: Lists) -> dict[str, float]:
    """Per item its attention, summed over all lists."""
    found: dict[str, float] = defaultdict(float)
    for line in lists:
        for place, item in enumerate(line):
            found[item] += 1.0 / log2(place + 2.0)
    return found


def _wanted(exam: Exam) -> dict[str, float]:
    """Per item how many visits wanted it."""
    found: dict[str, float] = defaultdict(float)
    for query in exam.queries:
        for item in query.wanted:
            found[item] += 1.0
    return found


def _item_groups(
    kind: str,
    group_of: GroupOf,
    exam: Exam,
    exposed: Mapping[str, float],
    wanted: Mapping[str, float],
) -> list[ItemGroup]:
    """The most wanted first."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for place, weights in enumerate((dict.fromkeys(exam.known_items, 1.0), exposed, wanted)):
        for item, weight in weights.items():
            sums[group_of(item)][place] += weight
    shown, asked = (sum(weights.values()) or 1.0 for weights in (exposed, wanted))
    found = [
        ItemGroup(kind, name, round(items), exposure / shown, relevance / asked)
        for name, (items, exposure, relevance) in sums.items()
    ]
    return sorted(found, key=lambda group: (-group.relevance, group.name))


def _category_of(catalogue: Mapping[str, CatalogueItem], wanted: Mapping[str, float]) -> GroupOf:
    """The most wanted categories by name, the others together."""
    weights: dict[str, float] = defaultdict(float)
    for item, weight in wanted.items():
        weights[_category(catalogue, item)] += weight
    named = sorted(weights, key=lambda name: (-weights[name], name))[:_CATEGORIES]

    def group(item: str) -> str:
        category = _category(catalogue, item)
        return category if category in named else "other categories"

    return group


def _category(catalogue: Mapping[str, CatalogueItem], item: str) -> str:
    entry = catalogue.get(item)
    return (entry.category if entry is not None else None) or _NONE


def _price_band_of(catalogue: Mapping[str, CatalogueItem], known: frozenset[str]) -> GroupOf:
    """Four bands with as many known items each."""
    prices = sorted(
        float(entry.price)
        for item in known
        if (entry := catalogue.get(item)) is not None and entry.price is not None
    )
    # Of the prices themselves: no band ends between two of them.
    edges = np.quantile(prices, _CUTS, method="inverted_cdf") if prices else np.zeros(0)
    names = [f"up to {edge:.2f}" for edge in edges] + [f"over {edges[-1]:.2f}" if prices else ""]

    def band(item: str) -> str:
        entry = catalogue.get(item)
        if entry is None or entry.price is None or not prices:
            return _NONE
        return names[int(np.searchsorted(edges, float(entry.price), side="left"))]

    return band
