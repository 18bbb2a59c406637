"""Who is served how well, and which items are shown how much, as measured at a version's exam."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0)]


class ShopperGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """Means over its shoppers of recall and MRR of the whole list, with their 95 % intervals."""

    name: str
    shoppers: Count
    recall: float
    recall_low: float
    recall_high: float
    mrr: float
    mrr_low: float
    mrr_high: float


class ItemGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """`exposure`: its share of the lists' attention, a place counting 1 / log2(place + 1);
    `relevance`: its share of what shoppers then wanted. Where exposure is the lesser one, its
    items are shown less than they are asked for (Singh and Joachims 2018)."""

    kind: str
    name: str
    items: Count
    exposure: float
    relevance: float


class BoundCost(Struct, frozen=True, forbid_unknown_fields=True):
    """What a bound on the places of best sellers would have cost at the exam: recall of the whole
    list, the 95 % interval of its difference to no bound, and the long tail's share of places."""

    popular_places: Count
    recall: float
    low: float
    high: float
    tail_share: float


class Fairness(Struct, frozen=True, forbid_unknown_fields=True):
    shoppers: tuple[ShopperGroup, ...]
    items: tuple[ItemGroup, ...]
    bounds: tuple[BoundCost, ...] = ()
