"""Two model versions on the same later invoices: does the newer one know more?

The dot product alone answers, without the other candidate sources, so that what is compared is
what was trained. Both see the same recent items of each shopper, as they stood when the second
version's data ended; the invoices are all later than that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from millstream.domain.clock import as_datetime
from millstream.domain.events import Event
from millstream.domain.models import ModelAnnouncement
from millstream.features.recent_items import RECENT_ITEMS
from millstream.features.replayed import ItemNumbers, ReplayedShopper
from millstream.local.scoring import (
    LIST_SIZE,
    Ranker,
    VersionComparison,
    baskets,
    compare_versions,
)
from millstream.model.registry import LoadedModel, Registry
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity
from millstream.model.signing import load_public_key

MORE = 20
"""Nearest items asked for beyond the list's length, to make up for those that are left out."""


def load_version(store: Path, keys_dir: Path, announced: ModelAnnouncement) -> LoadedModel:
    """Raises ArtifactRefused unless signature and hashes fit the announcement."""
    wanted = Identity(
        announced.tenant, announced.model, announced.version, announced.manifest_sha256
    )
    return Registry(store).load(load_public_key(keys_dir), wanted)


def compare_on_later(
    first: LoadedModel, second: LoadedModel, events: Sequence[Event], left_out: Container[str]
) -> VersionComparison:
    """`events`: the whole recording in time order; `left_out`: items that no list may show."""
    until_ms = second.manifest.window.last_log_ms
    shoppers = _shoppers(event for event in events if event.time_ms <= until_ms)
    later = baskets(events, as_datetime(until_ms + 1), left_out)
    return compare_versions(
        _ranker(first.scorer, shoppers, left_out), _ranker(second.scorer, shoppers, left_out), later
    )


def _shoppers(events: Iterable[Event]) -> dict[str, ReplayedShopper]:
    numbers = ItemNumbers()
    shoppers = defaultdict[str, ReplayedShopper](lambda: ReplayedShopper(numbers))
    for event in events:
        shoppers[event.shopper].apply(event)
    return dict(shoppers)


def _ranker(
    scorer: Scorer, shoppers: dict[str, ReplayedShopper], left_out: Container[str]
) -> Ranker:
    def ranked(shopper: str) -> Sequence[str] | None:
        known = shoppers.get(shopper)
        if known is None:
            return None
        recent = known.state().read(RECENT_ITEMS, 0)
        vectors, told = scorer.user_vectors([(shopper, recent)])
        if not told[0]:
            return None
        rows, _ = scorer.nearest(vectors, LIST_SIZE + MORE)
        items = [scorer.items[int(row)] for row in rows[0]]
        return [item for item in items if item not in left_out][:LIST_SIZE]

    return ranked
