"""A shop for the benchmarks that make lists: a catalogue, a signed and promoted model of clustered
vectors (made_vectors.py), and shoppers who have touched items near to what the model thinks of
them; the same for the same seed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as installed_version

import msgspec
import numpy as np
from benchmarks.made_events import open_for
from benchmarks.made_vectors import make, nearest_to_few, with_encoder
from numpy.typing import NDArray

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event, EventType, Line
from millstream.domain.identity import record_key
from millstream.domain.lists import Source
from millstream.domain.models import Network
from millstream.model.artifact import Files
from millstream.model.blend import Blend, Calibration
from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.indexing import MEASURED, recall_of, top_k_of, with_index
from millstream.model.manifest import SCHEMA_VERSION, DataWindow, Manifest, Provenance, Quality
from millstream.model.registry import Registry
from millstream.model.scorer import Scorer
from millstream.model.signing import load_private_key
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import CATALOG

DIMENSIONS = 96
TENANT, MODEL = "default", "embedding"
MODEL_VERSION = f"{MODEL}-v1"
NEAR = 40
"""A shopper touches items among so many nearest."""
_ASKED = 512
_BLOCK = 512
_CATEGORIES = 50
_ALIKE = Calibration((-3, 0), ((0.1, 0.4, 0.8),))
BLEND = Blend(
    {
        Source.REPEAT: Calibration((4, 6), ((0.7, 2.0, 2.0), (4.0, 1.2, 1.2), (1.0, 0.9, 0.9))),
        **dict.fromkeys((Source.COVISITED, Source.EMBEDDING, Source.POPULAR, Source.NEW), _ALIKE),
    }
)
"""As dear as one can be that a trainer learns: of no source and no power is the weight 0."""


@dataclass(frozen=True)
class Shop:
    """`touches` (shoppers, visits) item rows of `parts`, a column a visit, oldest first."""

    parts: Embeddings
    scorer: Scorer
    touches: NDArray[np.int64]
    recall: float
    """Of the exact first 20 nearest, through the index, where few ask; 1 without one."""
    tenant: str = TENANT

    @property
    def shoppers(self) -> int:
        return len(self.touches)

    def visits(self, places: Sequence[int], start_ms: int) -> Iterator[tuple[int, Event]]:
        """(time in ms, event) of the visits at `places`, each by every shopper in turn; a
        millisecond apart from `start_ms` on."""
        at_ms = start_ms
        for place in places:
            for shopper in range(self.shoppers):
                yield at_ms, self.event(shopper, place, at_ms)
                at_ms += 1

    def event(self, shopper: int, place: int, at_ms: int) -> Event:
        """The same arguments give the same event, id included."""
        row = int(self.touches[shopper, place % self.touches.shape[1]])
        return Event(
            event_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{shopper} {place} {at_ms}")),
            type=EventType.VIEW_ITEM,
            time=datetime.fromtimestamp(at_ms / 1000, UTC),
            tenant=self.tenant,
            user_id=f"shopper-{shopper}",
            items=(Line(self.parts.items[row], price=19.95),),
            currency="EUR",
            session_id=f"session-{shopper}",
        )

    def vectors(self, most: int) -> FloatArray:
        """Of the first `most` shoppers, as the worker makes them after all visits."""
        items = self.parts.items
        return self.scorer.user_vectors(
            [
                (f"shopper-{shopper}", [items[int(row)] for row in rows[::-1]])
                for shopper, rows in enumerate(self.touches[:most])
            ]
        )[0]


@dataclass(frozen=True)
class Kind:
    """Of the made version. `blend`: None for the fixed weights of ranking."""

    network: Network = Network.DOT_PRODUCT
    blend: Blend | None = None


def make_shop(
    items: int, shoppers: int, visits: int, seed: int, index_from: int, kind: Kind = Kind()
) -> Shop:
    """Blocks for some seconds. From `index_from` items on searched through an index."""
    parts, asking = make(items, DIMENSIONS, max(shoppers, _ASKED), seed)
    parts = replace(parts, rule=msgspec.structs.replace(parts.rule, blend=kind.blend))
    if kind.network is Network.SESSIONS:
        parts = with_encoder(parts, seed)
    recall, indexed = 1.0, with_index(parts, seed) if items >= index_from else None
    if indexed is not None:
        recall = _recall(parts, indexed, asking[:_ASKED])
        parts = indexed
    scorer = Scorer(parts)
    rng = np.random.default_rng(seed)
    touches = [
        np.take_along_axis(rows, rng.integers(rows.shape[1], size=(len(rows), visits)), axis=1)
        for start in range(0, shoppers, _BLOCK)
        for rows, _ in [scorer.nearest(parts.user_vectors[start : start + _BLOCK], NEAR)]
    ]
    return Shop(parts, scorer, np.concatenate(touches)[:shoppers].astype(np.int64), recall)


def _recall(exact: Embeddings, indexed: Embeddings, asking: FloatArray) -> float:
    wanted = top_k_of(exact.item_vectors, asking * np.float32(exact.dense_weight), MEASURED)
    found = nearest_to_few(Scorer(indexed), asking, MEASURED)
    # Rows of the two differ, their ids do not.
    ids = [
        np.array([[parts.items[row] for row in line] for line in rows.tolist()])
        for parts, rows in ((indexed, found), (exact, wanted))
    ]
    return round(recall_of(*ids), 4)


async def open_shop(shop: Shop, settings: ConnectionSettings) -> None:
    """Catalogue sent, model promoted; before the recommender is started. Raises OperatorError
    where its tenant has a model already."""
    await _offer(shop, settings)
    manifest, sha = Registry(settings.model_store).register(
        shop.parts, partial(_manifest, shop), load_private_key(settings.keys_dir)
    )
    redis = await connected(settings.redis_url)
    try:
        pointer = RedisModelPointer(redis, Keys(settings.redis_prefix))
        promoted = await pointer.promote(shop.tenant, MODEL, manifest.version, sha, None)
    finally:
        await redis.aclose()
    if not promoted:
        raise OperatorError("the current model", "one that stands already", "none")


async def _offer(shop: Shop, settings: ConnectionSettings) -> None:
    added = as_datetime(wall_clock())
    async with open_for(producer_for(settings, "millstream-bench")) as producer:
        for row, item_id in enumerate(shop.parts.items.ids):
            item = CatalogueItem(
                item_id=item_id,
                tenant=shop.tenant,
                added_at=added,
                title=f"Article {row}",
                category=f"category-{row % _CATEGORIES}",
                price=19.95,
            )
            key = record_key(item.tenant, item.item_id)
            await producer.send(settings.topic(CATALOG), msgspec.json.encode(item), key)
        await producer.flush()


def _manifest(shop: Shop, version: int, files: Files) -> Manifest:
    return Manifest(
        schema_version=SCHEMA_VERSION,
        tenant=shop.tenant,
        model=MODEL,
        version=version,
        arrays=files.arrays,
        lists=files.lists,
        rule=shop.parts.rule,
        window=DataWindow(0, 0, {}, lines=0, counted_lines=0, pairs=0),
        provenance=Provenance(installed_version("millstream"), "made for a benchmark", 0),
        quality=Quality({}, "made for a benchmark", passed=True),
        created_at=as_datetime(wall_clock()),
        index=files.index,
        network=files.network,
    )
