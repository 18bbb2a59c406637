"""Neighbours by item id in the form in which they are written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from millstream.features.affinity_sums import Near
from millstream.stores.affinities import AffinityStore
from millstream.stores.item_numbers import ItemNumbers

TENANT = "default"


def near_of(
    named: Mapping[str, Mapping[str, float]], numbers: ItemNumbers, tenant: str = TENANT
) -> Near:
    """`named`: item -> neighbour -> log2 weight to add; all of them must have their numbers."""
    known = numbers.numbered(tenant)
    pairs = [(known[other][0], weight) for near in named.values() for other, weight in near.items()]
    others, weights = zip(*pairs, strict=True) if pairs else ((), ())
    return Near(
        np.array([known[item][0] for item in named], dtype=np.int64),
        np.cumsum([0, *map(len, named.values())]),
        np.array(others, dtype=np.int64),
        np.array(weights, dtype=np.float64),
    )


async def add_near(store: AffinityStore, tenant: str, near: Near) -> None:
    for write in store.neighbour_writes(tenant, near):
        await store.add_neighbours(write)
