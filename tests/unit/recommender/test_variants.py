"""Each shopper's list is made the way of their variant, in as few batches as there are ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest
from tests.builders import NOON_MS, arrival, event
from tests.unit.recommender.conftest import MemoryAffinities
from tests.unit.recommender.test_draft import recorded

from millstream.domain.experiments import (
    Experiment,
    ExperimentTerms,
    Metric,
    PinnedVersion,
    SettingsChange,
    Signed,
    Variant,
)
from millstream.domain.lists import Source
from millstream.model.serving import Serving
from millstream.ranking.rankings import Rankings
from millstream.ranking.settings import RankingSettings
from millstream.recommender.draft import Drafter
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.variants import Variants
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.review_book import ReviewBook

NO_POPULAR = SettingsChange(popular_places=0)
SETTINGS = RankingSettings()


def experiment(*variants: Variant) -> Experiment:
    return Experiment(
        tenant="default",
        experiment_id="e",
        terms=ExperimentTerms(variants, Metric.CLICKED),
        begun=Signed(datetime(2026, 1, 1, tzinfo=UTC), "key"),
    )


TRIAL = experiment(Variant("as-it-is", 400), Variant("none", 400, NO_POPULAR))
NAMES = [("default", f"u{i}") for i in range(40)]


def test_without_an_experiment_all_are_one_part() -> None:
    (part,) = Variants("plain", Rankings(SETTINGS)).parted("default", NAMES)
    assert part[0].label == "plain"
    assert part[0].digest == SETTINGS.digest()
    assert part[1] is NAMES


def test_each_is_in_the_part_of_their_variant() -> None:
    variants = Variants("plain", Rankings(SETTINGS), lambda _: TRIAL)
    parts = {way.label: (way, names) for way, names in variants.parted("default", NAMES)}
    assert parts.keys() == {"plain", "e:as-it-is", "e:none"}
    for label, (way, names) in parts.items():
        for _, shopper in names:
            variant = TRIAL.variant_of(shopper)
            assert label == ("plain" if variant is None else TRIAL.label(variant))
        assert way.settings.popular_places == (0 if label == "e:none" else 20)
        assert way.digest == way.settings.digest()
    assert sorted(name for _, names in parts.values() for name in names) == sorted(NAMES)


def test_a_tenants_own_settings_are_its_alone_and_its_experiment_begins_at_them() -> None:
    own = SETTINGS.changed(SettingsChange(looked_at=0))
    of_tenants = Rankings(SETTINGS, {"default": own, "third": own})
    variants = Variants(
        "plain", of_tenants, lambda tenant: TRIAL if tenant == TRIAL.tenant else None
    )
    assert [way.settings for way, _ in variants.parted("other", NAMES)] == [SETTINGS]
    ((way, _),) = variants.parted("third", NAMES)
    assert (way.settings, way.digest) == (own, own.digest())
    ways = {way.label: way for way, _ in variants.parted("default", NAMES)}
    assert ways["plain"].settings == ways["e:as-it-is"].settings == own
    assert ways["e:none"].settings == own.changed(NO_POPULAR)


async def test_lists_say_their_variant_and_are_made_by_its_settings(
    affinities: MemoryAffinities, no_model: HotSwap
) -> None:
    drafter = Drafter(
        lambda tenant: CachedShop(
            tenant, affinities, Catalogue(), DemandBook(), ReviewBook(), lambda: NOON_MS
        ),
        no_model,
        Variants("plain", Rankings(SETTINGS), lambda _: TRIAL),
    )
    batch = recorded(*(arrival(event(f"e{i}", f"u{i}", "a"), i) for i in range(40)))
    drafts = await drafter.draft(batch.due, batch)
    assert {draft.name for draft in drafts} == set(NAMES)
    for draft in drafts:
        variant = TRIAL.variant_of(draft.name[1])
        assert draft.variant == ("plain" if variant is None else TRIAL.label(variant))
        assert draft.items is not None
        popular = any(item.source is Source.POPULAR for item in draft.items)
        assert popular == (draft.variant != "e:none")
    assert len({draft.settings_digest for draft in drafts}) == 2
    assert affinities.reads == ["default"], "a batch reads the shop once, however it is parted"


ONE, TWO = PinnedVersion(1, "1" * 64), PinnedVersion(2, "2" * 64)
OF_VERSIONS = msgspec.structs.replace(
    experiment(Variant("one", 500, model_version=1), Variant("two", 500, model_version=2)),
    versions=(ONE, TWO),
)


class Named(HotSwap):
    """Of every tenant these versions, beside version 9 that serves."""

    def __init__(self, *held: PinnedVersion) -> None:
        self._held = {one: Serving(f"embedding-v{one.version}", None) for one in held}

    def serving(self, tenant: str) -> Serving:  # noqa: ARG002
        return Serving("embedding-v9", None)

    def named(self, tenant: str) -> Mapping[PinnedVersion, Serving]:  # noqa: ARG002
        return self._held


async def drafted(
    affinities: MemoryAffinities, trial: Experiment | None, *held: PinnedVersion
) -> Counter[tuple[str, str]]:
    """Of forty shoppers' lists: label and version."""
    drafter = Drafter(
        lambda tenant: CachedShop(
            tenant, affinities, Catalogue(), DemandBook(), ReviewBook(), lambda: NOON_MS
        ),
        Named(*held),
        Variants("plain", Rankings(SETTINGS), lambda _: trial),
    )
    batch = recorded(*(arrival(event(f"e{i}", f"u{i}", "a"), i) for i in range(40)))
    drafts = await drafter.draft(batch.due, batch)
    return Counter((draft.variant, draft.model_version) for draft in drafts)


async def test_each_variants_lists_are_made_by_the_version_it_names(
    affinities: MemoryAffinities,
) -> None:
    made = await drafted(affinities, OF_VERSIONS, ONE, TWO)
    assert made.keys() == {("e:one", "embedding-v1"), ("e:two", "embedding-v2")}
    assert made.total() == 40


@pytest.mark.parametrize("held", [(), (ONE,), (ONE, PinnedVersion(2, "0" * 64))])
async def test_where_a_version_is_missing_nobody_is_in_the_experiment(
    affinities: MemoryAffinities, held: tuple[PinnedVersion, ...]
) -> None:
    """Nor they whose variant's version is there: all variants lose the same shoppers."""
    assert await drafted(affinities, OF_VERSIONS, *held) == {("plain", "embedding-v9"): 40}


async def test_once_it_is_over_all_lists_are_made_by_the_version_that_serves(
    affinities: MemoryAffinities,
) -> None:
    assert await drafted(affinities, None, ONE, TWO) == {("plain", "embedding-v9"): 40}


def test_a_change_leaves_what_it_does_not_name() -> None:
    changed = SETTINGS.changed(SettingsChange(looked_at=0, weights={Source.NEW: 0.5}))
    assert changed.looked_at == 0
    assert changed.weights == {**SETTINGS.weights, Source.NEW: 0.5}
    assert changed.popular_places == SETTINGS.popular_places
    assert SETTINGS.changed(SettingsChange()) == SETTINGS


def test_everything_but_lengths_can_be_tried() -> None:
    """How long lists are, callers rely on; how many candidates there are, time does."""
    changeable = set(SettingsChange.__struct_fields__)
    assert changeable == set(RankingSettings.__struct_fields__) - {"list_length", "candidates"}
