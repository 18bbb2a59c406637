"""Lists made for one request by the ranking that recommenders use, beside the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from millstream.domain.clock import Clock
from millstream.domain.events import EventType
from millstream.domain.experiments import Experiment, PinnedVersion, SettingsChange
from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import RulesInForce, Scenario
from millstream.features.recent_items import BOUND, Touch
from millstream.features.state import ShopperState
from millstream.gateway.models_in_service import Models
from millstream.model.serving import Serving
from millstream.ranking.dissection import Dissected, dissect
from millstream.ranking.items import ItemTable
from millstream.ranking.rank import Ranked, rank
from millstream.ranking.rankings import Rankings
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper
from millstream.stores.cached_shop import CachedShop
from millstream.stores.feature_store import FeatureStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.visits import NO_VISITS, Visits

NOBODY = ""
"""A shopper of no name: the model knows only what such a one touched."""
_LIKE_ALONE = {Source.COVISITED: 1.0, Source.EMBEDDING: 0.25}
SIMILAR = RankingSettings(list_length=200, looked_at=0, weights=_LIKE_ALONE)


@dataclass(frozen=True, slots=True)
class Made:
    """`variant`: as RecommendationList's. `removed`: by rule of policy."""

    items: tuple[RankedItem, ...]
    model_version: str
    variant: str
    removed: Counter[str]


@dataclass(frozen=True, slots=True)
class LaidDown:
    """By operators: how lists are made as a rule, and the `label` of those as their variant; and of
    a tenant the merchandising rules and the experiment that runs."""

    label: str
    usual: Rankings
    rules: Callable[[str, Scenario], RulesInForce]
    experiment: Callable[[str], Experiment | None]

    def variant(
        self, shopper: Shopper, held: Collection[PinnedVersion]
    ) -> tuple[str, SettingsChange | None, PinnedVersion | None]:
        """Its label, how the shopper's lists are made otherwise, and by which version; as
        recommenders make them that hold these."""
        plain = self.label, None, None
        experiment = self.experiment(shopper.tenant) if shopper.name != NOBODY else None
        if experiment is None or not experiment.can_be_made_of(held):
            return plain
        variant = experiment.variant_of(shopper.name)
        if variant is None:
            return plain
        return experiment.label(variant), variant.settings, experiment.version_of(variant)


class Way(NamedTuple):
    """How a list is made, by which version, and what that is called on it."""

    label: str
    settings: RankingSettings
    serving: Serving


class Known(NamedTuple):
    """`state`: the shopper's own, without what was done before signing in."""

    shopper: Shopper
    state: ShopperState


class LiveRanking:
    def __init__(
        self,
        shop_of: Callable[[str], CachedShop],
        models: Models,
        states: FeatureStore,
        numbers: ItemNumbers,
        clock: Clock,
        laid_down: LaidDown,
    ) -> None:
        self._shop_of = shop_of
        self._models = models
        self._states = states
        self._numbers = numbers
        self._visits = Visits(states, numbers)
        self._clock = clock
        self._laid_down = laid_down
        self._rules = laid_down.rules
        self._tables: dict[str, ItemTable] = {}
        # One thread: it alone touches the tables, and one list after the other is ranked.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ranking")

    def usual(self, tenant: str) -> RankingSettings:
        """By which recommenders make the tenant's lists."""
        return self._laid_down.usual.of(tenant)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    async def known(self, tenant: str, shopper: str) -> Known:
        """With every item, one that was just numbered by a recommender too. One round trip, two
        where the shopper signed in. Raises what Redis raises."""
        name = (tenant, shopper)
        state = await self._states.shopper(*name, self._numbers.names(tenant))
        await self._numbers.recalled(tenant, state.item_numbers)
        visits = (await self._visits.of({name: state})).get(name, NO_VISITS)
        return Known(Shopper.from_state(*name, state, self._clock(), visits), state)

    def session(self, tenant: str, items: Sequence[str]) -> Shopper:
        """Of an anonymous visit: `items` looked at, the newest first."""
        now = self._clock()
        touches = (
            Touch(item, EventType.VIEW_ITEM, now - place * 1000)
            for place, item in enumerate(items[:BOUND])
        )
        return Shopper(tenant, NOBODY, tuple(touches))

    async def rank(
        self, shopper: Shopper, settings: RankingSettings, scenario: Scenario = Scenario.HOME
    ) -> Made:
        """Raises what Redis raises."""
        rules = self._rules(shopper.tenant, scenario)
        return await self._made(shopper, self._way(shopper, settings), rules)

    def _way(self, shopper: Shopper, settings: RankingSettings) -> Way:
        """`settings` as the shopper's variant has them."""
        named = self._models.named(shopper.tenant)
        label, change, version = self._laid_down.variant(shopper, named)
        serving = self._models.serving(shopper.tenant) if version is None else named[version]
        return Way(label, settings.changed(change), serving)

    async def _made(self, shopper: Shopper, way: Way, rules: RulesInForce) -> Made:
        shop, (label, settings, serving) = self._shop_of(shopper.tenant), way
        await shop.refresh({touch.item_id for touch in shopper.recent})

        def ranked() -> Ranked:
            table = self._table(shopper.tenant)
            now_ms = self._clock()
            return rank([shopper], shop, serving.scorer, settings, now_ms, table, rules)

        found = await asyncio.get_running_loop().run_in_executor(self._thread, ranked)
        return Made(found.lists[0], serving.version, label, found.removed)

    async def dissect(self, shopper: Shopper) -> tuple[Dissected, Way]:
        """Raises what Redis raises."""
        shop = self._shop_of(shopper.tenant)
        await shop.refresh({touch.item_id for touch in shopper.recent})
        way, now_ms = self._way(shopper, self.usual(shopper.tenant)), self._clock()
        rules = self._rules(shopper.tenant, Scenario.HOME)
        found = await asyncio.get_running_loop().run_in_executor(
            self._thread, dissect, shopper, shop, way.serving.scorer, way.settings, now_ms, rules
        )
        return found, way

    async def similar(self, tenant: str, item_id: str) -> Made:
        """What others take next to the item, and what the model has near it; best first."""
        hiding = self._rules(tenant, Scenario.HOME).hiding_only
        way = Way(self._laid_down.label, SIMILAR, self._models.serving(tenant))
        made = await self._made(self.session(tenant, [item_id]), way, hiding)
        alike = tuple(
            item for item in made.items if item.source in _LIKE_ALONE and item.item_id != item_id
        )
        return Made(alike, made.model_version, made.variant, made.removed)

    def _table(self, tenant: str) -> ItemTable:
        held = self._tables.get(tenant)
        if held is None or held.is_full:
            held = self._tables[tenant] = ItemTable()
        return held
