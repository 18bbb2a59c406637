"""What every rule is: it names what it takes out of one shopper's list, and why."""

from __future__ import annotations

from typing import Protocol

from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper


class Rule(Protocol):
    """`keeps(...)` is made once per list and asked for each item in order, best first, as long
    as the list is not full; it may remember what it kept."""

    NAME: str

    def keeps(self, shopper: Shopper, shop: Shop, settings: RankingSettings) -> Keeps: ...


class Keeps(Protocol):
    def __call__(self, scored: Scored, /) -> bool: ...
