"""Free text to items: the catalogue's search (search/index.py), kept up to date as it is followed,
and what of a shopper's taste the model knows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import structlog
from msgspec import Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.rules import RulesInForce, RuleTerms
from millstream.gateway.browsing import ShelfItem, shelf_item
from millstream.gateway.callers import Caller
from millstream.gateway.live_ranking import LiveRanking
from millstream.gateway.models_in_service import Models
from millstream.model.embeddings import FloatArray
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import UNKNOWN
from millstream.search.index import Allowed, Hit, Query, SearchIndex, Taste
from millstream.search.meaning import meaning
from millstream.stores.catalogue import Catalogue
from millstream.stores.redis import TROUBLE

LOOK_S = 1.0

log = structlog.get_logger("millstream.gateway")


class FoundItem(Struct, frozen=True):
    """`words`, `trigrams`: the share of the query's weight that the item has as words and as runs
    of three letters; `meaning`: cosine of the two texts' vectors."""

    item: ShelfItem
    score: float
    words: float
    trigrams: float
    meaning: float


class FoundItems(Struct, frozen=True):
    """`personal`: whether the order has something of the shopper's taste. `catalogue`: how many
    items there are in all."""

    items: tuple[FoundItem, ...]
    personal: bool
    catalogue: int


class Searching:
    """Hears of the catalogue's changes. Needs no Redis; without it the order is nobody's."""

    def __init__(
        self,
        catalogue: Catalogue,
        live: LiveRanking,
        models: Models,
        rules: Callable[[str], RulesInForce],
        tenants: Callable[[], Collection[str]],
    ) -> None:
        self._catalogue = catalogue
        self._live = live
        self._models = models
        self._rules = rules
        self._tenants = tenants
        # One thread: it alone touches the indexes, and one query after the other is answered. The
        # event loop adds what changed, the thread takes it: a query that is given up loses nothing.
        self._changed: dict[str, deque[str]] = {}
        self._indexes: dict[str, SearchIndex] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        catalogue.tell(self._note)

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _note(self, tenant: str, item_id: str) -> None:
        """What is not searched yet is read as a whole when it is."""
        changed = self._changed.get(tenant)
        if changed is not None:
            changed.append(item_id)

    async def find(self, caller: Caller, query: Query, user: str | None) -> FoundItems:
        """`user`: the raw id of the shopper to whose taste the order is moved a little."""
        tenant = caller.tenant
        taste = None if user is None else await self._taste(tenant, caller.shopper(user))
        hits = await self.hits(tenant, query, taste)
        items = tuple(map(_found, hits))
        return FoundItems(items, taste is not None, self._catalogue.size(tenant))

    async def hits(self, tenant: str, query: Query, taste: Taste | None = None) -> list[Hit]:
        """What the catalogue says by now; not what is hidden in it, or by a rule."""
        allowed = _not_hidden([rule.terms for rule in self._rules(tenant).hides])
        search = partial(self._searched, tenant, query, taste, allowed)
        return await asyncio.get_running_loop().run_in_executor(self._thread, search)

    async def follow(self) -> None:
        """For ever: takes up the catalogues of tenants as they come, so that no query waits."""
        while True:
            await asyncio.sleep(LOOK_S)
            for tenant in self._tenants():
                if self._catalogue.size(tenant) and self._is_behind(tenant):
                    await self._catch_up(tenant)

    def _is_behind(self, tenant: str) -> bool:
        return tenant not in self._indexes or bool(self._changed.get(tenant))

    async def _catch_up(self, tenant: str) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._index, tenant)
        except Exception as error:  # noqa: BLE001  queries are answered with the same, or not
            log.error("catalogue not taken up by search", kind=type(error).__name__)

    def _index(self, tenant: str) -> SearchIndex:
        """As the catalogue stands; to be called in the thread. What fails is begun anew."""
        changed = self._changed.setdefault(tenant, deque())
        try:
            index = self._indexes.get(tenant)
            if index is None:
                index = SearchIndex(meaning())
                index.apply({**self._catalogue.items(tenant)})
                self._indexes[tenant] = index
            index.apply(self._changes(tenant, changed))
        except BaseException:
            self._indexes.pop(tenant, None)
            self._changed.pop(tenant, None)
            raise
        return index

    def _changes(self, tenant: str, changed: deque[str]) -> dict[str, CatalogueItem | None]:
        """The items stand in the catalogue before they stand in `changed`."""
        some = dict.fromkeys(changed.popleft() for _ in range(len(changed)))
        return {item_id: self._catalogue.get(tenant, item_id) for item_id in some}

    def _searched(
        self, tenant: str, query: Query, taste: Taste | None, allowed: Allowed | None
    ) -> list[Hit]:
        """In the thread."""
        return self._index(tenant).search(query, taste, allowed)

    async def _taste(self, tenant: str, shopper: str) -> Taste | None:
        """None while nothing is known of the shopper, there is no model, or Redis is away."""
        scorer = self._models.serving(tenant).scorer
        if scorer is None:
            return None
        try:
            asking = (await self._live.known(tenant, shopper)).shopper
        except TROUBLE as error:
            log.warning("search without taste: redis is away", kind=type(error).__name__)
            return None
        vectors, known = scorer.user_vectors([(shopper, asking.recent)])
        return partial(taste_for, scorer, vectors) if known[0] else None


def taste_for(scorer: Scorer, vectors: FloatArray, item_ids: Sequence[str]) -> FloatArray:
    """(n,): logits stretched from 0 for the least to 1 for the most; 0 for an item that the model
    does not know. `vectors` (1, d)."""
    tastes = np.zeros(len(item_ids), dtype=np.float32)
    rows = scorer.items.rows(item_ids)
    known = np.flatnonzero(rows != UNKNOWN)
    if len(known):
        logits = scorer.scores(vectors, rows[known])[0]
        tastes[known] = (logits - logits.min()) / max(float(np.ptp(logits)), 1e-6)
    return tastes


def _not_hidden(hides: Sequence[RuleTerms]) -> Allowed | None:
    if not hides:
        return None
    items = {terms.item_id for terms in hides if terms.item_id is not None}
    categories = {terms.category for terms in hides if terms.category is not None}
    return lambda item: item.item_id not in items and item.category not in categories


def _found(hit: Hit) -> FoundItem:
    parts = (round(part, 4) for part in (hit.score, hit.words, hit.trigrams, hit.meaning))
    return FoundItem(shelf_item(hit.item), *parts)
