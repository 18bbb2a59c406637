"""Stored lists from before the rules of now, made anew as a recommender would.

A stored list does not tell what a boost did to it, or what a rule that is gone had kept out."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable

from millstream.domain.acceptance import Shopper
from millstream.domain.rules import RulesInForce
from millstream.gateway.live_ranking import LiveRanking, Made

FOLLOWED_MS = 5_000
"""A list of an event so long after a change was made by its rules: recommenders follow within two
seconds, by another clock."""
KEPT = 10_000
"""Lists in memory, some 5 kB each: those asked for least lately go first."""
MOST_AT_ONCE = 16
WITHIN_S = 0.5

Freshness = tuple[int, int, int]


class RemadeLists:
    """Each is made once, until the shopper's next list or the next change. `moved_ms`: when what is
    in force last changed."""

    def __init__(
        self,
        live: LiveRanking,
        rules: Callable[[str], RulesInForce],
        moved_ms: Callable[[str], int],
    ) -> None:
        self._live = live
        self._rules = rules
        self._moved_ms = moved_ms
        self._held: OrderedDict[Shopper, tuple[Freshness, RulesInForce, Made]] = OrderedDict()
        self._at_work = 0

    async def of(self, name: Shopper, freshness: Freshness) -> Made | None:
        """Of the stored list of such a freshness. None where it was made by the rules of now, or
        where many are being made: then it serves as it is. Raises what Redis raises."""
        rules = self._rules(name[0])
        if freshness[0] > self._moved_ms(name[0]) + FOLLOWED_MS:
            return None
        held = self._held.get(name)
        if held is not None and held[0] == freshness and held[1] is rules:
            self._held.move_to_end(name)
            return held[2]
        made = await self._make(name) if self._at_work < MOST_AT_ONCE else None
        if made is not None:
            self._held[name] = freshness, rules, made
            self._held.move_to_end(name)
            if len(self._held) > KEPT:
                self._held.popitem(last=False)
        return made

    def forget(self, shoppers: Iterable[Shopper]) -> None:
        """Who was erased."""
        for name in shoppers:
            self._held.pop(name, None)

    async def _make(self, name: Shopper) -> Made | None:
        """None after WITHIN_S seconds, and where nothing is known of the shopper any more."""
        self._at_work += 1
        try:
            async with asyncio.timeout(WITHIN_S):
                asking, state = await self._live.known(*name)
                if state.is_empty:
                    return None
                return await self._live.rank(asking, self._live.usual(asking.tenant))
        except TimeoutError:
            return None
        finally:
            self._at_work -= 1
