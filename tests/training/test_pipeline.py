"""Events in, a promoted version out; and everything that can keep a version from being promoted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.encoders import mean_encoder, unit
from tests.training.outlets import EMBEDDING, Pointer, Producer, outlet_in

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.models import Decision, ModelAnnouncement, Network
from millstream.model.registry import LoadedModel
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity
from millstream.ranking.settings import RankingSettings
from millstream.trainer import new_items
from millstream.trainer.collect import Window
from millstream.trainer.encode import Interactions, Start
from millstream.trainer.fit_blend import Examples, joined
from millstream.trainer.fitting import Fit, Fitted, Stopped, Watch
from millstream.trainer.pipeline import train_version
from millstream.trainer.settings import TrainerSettings, Training
from millstream.trainer.split import Query
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Why
from millstream.trainer.whole_list import Lists, RankedLists

NOW = 1_770_000_000_000
DAY_MS = 86_400_000
START = NOW - 30 * DAY_MS


class NothingUseful:
    """Whole lists of a shop that sells something else."""

    def standing(self, _before: pl.DataFrame) -> Lists:
        return self

    def bounded(self, _popular_places: int) -> Lists:
        return self

    def learn(self, _lines: pl.DataFrame) -> None:
        """It sells what it sells."""

    def examples(self, _queries: Sequence[Query], _scorer: Scorer) -> Examples:
        return joined([])

    def __call__(self, queries: Sequence[Query], _scorer: Scorer) -> Sequence[Sequence[str]]:
        return [["no such item"] for _ in queries]


@pytest.fixture
def tools(tmp_path: Path, factorise: Fit) -> Tools:
    pointer = Pointer()
    settings = TrainerSettings(topic_prefix="t.", dimensions=8, recent_items=4)
    return Tools(
        settings=settings,
        fit=factorise,
        whole_lists=RankedLists("default", RankingSettings(), dict),
        hidden=frozenset,
        outlet=outlet_in(tmp_path, EMBEDDING, pointer, Producer(pointer)),
        clock=lambda: NOW,
        stop=lambda: False,
    )


def producer_of(tools: Tools) -> Producer:
    assert isinstance(tools.outlet.producer, Producer)
    return tools.outlet.producer


def pointer_of(tools: Tools) -> Pointer:
    assert isinstance(tools.outlet.pointer, Pointer)
    return tools.outlet.pointer


def loaded(tools: Tools, said: ModelAnnouncement) -> LoadedModel:
    wanted = Identity("default", "embedding", said.version, said.manifest_sha256)
    return tools.outlet.registry.load(tools.outlet.public_key, wanted)


async def test_a_version_is_measured_registered_promoted_and_announced(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    said = await train_version(Window(two_tastes, {0: 1200, 3: 7}), tools)
    assert said.promoted
    assert said.verdict.startswith("promoted: better; recall@20 of the whole list")
    assert pointer_of(tools).current == (1, said.manifest_sha256)
    ((topic, key, sent, standing),) = producer_of(tools).sent
    assert (topic, key, sent) == ("t.reco.models.v1", b"default:embedding", said)
    assert standing == pointer_of(tools).current, "announced before the pointer had moved"


async def test_lists_stay_inside_the_taste(tools: Tools, two_tastes: pl.DataFrame) -> None:
    said = await train_version(Window(two_tastes, {0: 1200}), tools)
    scorer = loaded(tools, said).scorer
    shoppers = [
        ("s0", []),
        ("s1", []),
        ("stranger", ["tea-3"]),
        ("stranger", ["tool-3", "tool-9"]),
    ]
    rows, _ = scorer.nearest(scorer.user_vectors(shoppers)[0], 10)
    tastes = [{scorer.items[row].split("-")[0] for row in line} for line in rows]
    assert tastes == [{"tea"}, {"tool"}, {"tea"}, {"tool"}]
    # Half the catalogue is right for everyone, and 20 of 40 things fit into a list.
    assert said.metrics["model_recall_at_20"] == pytest.approx(1.0)
    assert said.metrics["whole_list_recall_at_20"] > said.metrics["popularity_recall_at_20"]


async def test_the_network_that_ranks_best_makes_the_version(
    tools: Tools, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    """Here of two the one whose recent items say something; in the other they are turned round.
    The lists of either are worth as much."""
    learnt: list[Network] = []

    def fit(data: Interactions, rule: Training, *rest: object) -> Fitted:
        learnt.append(rule.network)
        fitted = factorise(data, rule, lambda _: False, None)
        items = unit(fitted.item_vectors)
        encoder = mean_encoder(items, 0.1) if rule.network is Network.SESSIONS else None
        sign = 1.0 if encoder else -1.0
        return replace(fitted, item_vectors=sign * items, dense_weight=10.0, encoder=encoder)

    both = tools.settings.model_copy(update={"networks": tuple(Network)})
    tools = replace(tools, fit=fit, settings=both, whole_lists=NothingUseful())
    said = await train_version(Window(two_tastes, {0: 1200}), tools)
    assert learnt == [Network.DOT_PRODUCT, Network.SESSIONS, Network.SESSIONS]
    model = loaded(tools, said)
    assert model.manifest.network is Network.SESSIONS
    rows, _ = model.scorer.nearest(model.scorer.user_vectors([("stranger", ["tea-3"])])[0], 10)
    assert {model.scorer.items[row].split("-")[0] for row in rows[0]} == {"tea"}


async def test_the_manifest_tells_where_the_version_comes_from(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    said = await train_version(Window(two_tastes, {0: 1200, 3: 7}), tools)
    manifest = loaded(tools, said).manifest
    assert manifest.window.offsets == {0: 1200, 3: 7}
    assert (manifest.window.lines, manifest.window.counted_lines) == (2400, 2400)
    assert manifest.window.first_log_ms == two_tastes["log_ms"][0]
    assert manifest.window.last_log_ms == two_tastes["log_ms"][-1]
    assert manifest.provenance.settings_digest == tools.settings.digest()
    assert manifest.quality.metrics == said.metrics
    assert set(manifest.quality.intervals) == set(said.metrics) - {"queries"}
    for name, found in manifest.quality.intervals.items():
        assert found.low <= said.metrics[name] <= found.high, name
    assert int(manifest.created_at.timestamp() * 1000) == NOW
    assert manifest.quality.fairness is not None
    groups = {group.name: group.shoppers for group in manifest.quality.fairness.shoppers}
    assert groups["country GB"] == 1
    assert manifest.rule.recent_items == 4


async def test_a_list_below_popularity_is_kept_but_not_promoted(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    said = await train_version(
        Window(two_tastes, {0: 1}), replace(tools, whole_lists=NothingUseful())
    )
    assert not said.promoted
    assert said.verdict.startswith("refused: recall@20 of the whole list: 0.0000")
    assert pointer_of(tools).current is None
    assert tools.outlet.registry.versions("default", "embedding") == [1]
    assert producer_of(tools).sent[0][2] == said


async def test_a_later_version_is_judged_beside_the_one_in_service_on_what_neither_has_seen(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    first = await train_version(Window(two_tastes[:2240], {0: 1}), tools)
    second = await train_version(Window(two_tastes, {0: 1}), tools)
    judgement = loaded(tools, second).manifest.quality.judgement
    assert judgement is not None
    assert (first.decision, second.decision) == (Decision.PROMOTED, Decision.HELD)
    assert (judgement.reference, judgement.reasons) == ("v1", second.reasons)
    assert judgement.verdict.startswith("held: equal to v1; recall@20 of the whole list")
    assert pointer_of(tools).current == (1, first.manifest_sha256)
    # A day has 80 lines; the tenth that is the test part begins a day before the first version's
    # data end, and only the two days after them are asked about.
    assert second.metrics["queries"] == 80


async def test_without_later_visits_the_version_in_service_stays(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    await train_version(Window(two_tastes, {0: 1}), tools)
    said = await train_version(Window(two_tastes, {0: 1}), tools)
    assert (said.decision, said.metrics["queries"]) == (Decision.HELD, 0)
    assert "only 0 shoppers" in said.verdict


async def test_a_worse_version_than_the_one_in_service_is_refused(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    def noise(data: Interactions, rule: Training, *_: object) -> Fitted:
        rng = np.random.default_rng(rule.seed)
        users, items = rng.normal(size=(len(data.users), 8)), rng.normal(size=(len(data.items), 8))
        return Fitted(users.astype(np.float32), items.astype(np.float32), 1.0, 0.0, (0.0,))

    first = await train_version(Window(two_tastes[:2000], {0: 1}), tools)
    said = await train_version(Window(two_tastes, {0: 1}), replace(tools, fit=noise))
    assert said.decision is Decision.REFUSED
    assert "recall@20 of the model" in said.verdict
    assert pointer_of(tools).current == (1, first.manifest_sha256)


async def test_what_went_astray_after_the_exam_is_refused(
    tools: Tools, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    """The first training is examined, the second one is registered."""
    fits = []

    def astray(data: Interactions, rule: Training, *rest: object) -> Fitted:
        fits.append(factorise(data, rule, lambda _: False, None))
        if len(fits) == 2:
            fits[1].item_vectors[:] = fits[1].item_vectors[::-1].copy()
        return fits[-1]

    said = await train_version(Window(two_tastes, {0: 1}), replace(tools, fit=astray))
    assert (said.decision, len(fits)) == (Decision.REFUSED, 2)
    assert "not what was examined" in said.verdict


async def test_weights_that_are_not_finite_are_not_promoted(
    tools: Tools, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    def diverge(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
        fitted = factorise(data, rule, watch, log_dir)
        fitted.item_vectors[0, 0] = np.nan
        return fitted

    said = await train_version(Window(two_tastes, {0: 1}), replace(tools, fit=diverge))
    assert not said.promoted
    assert "not finite" in said.verdict
    assert pointer_of(tools).current is None


async def test_a_stale_trainer_loses(tools: Tools, two_tastes: pl.DataFrame) -> None:
    pointer_of(tools).overtaken = True
    said = await train_version(Window(two_tastes, {0: 1}), tools)
    assert (said.promoted, "another trainer" in said.verdict) == (False, True)


async def test_a_version_is_numbered_above_the_current_one(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    """Also where its files are gone: then shoppers are not served from it."""
    pointer_of(tools).current = (41, "0" * 64)
    said = await train_version(Window(two_tastes, {0: 1}), tools)
    assert (said.version, said.promoted) == (42, True)


@pytest.mark.parametrize(("named", "kept"), [({3}, [1, 3, 4, 5]), (None, [1, 2, 3, 4, 5])])
async def test_old_versions_go_but_not_those_that_serve_served_last_or_may_be_tried(
    tools: Tools, two_tastes: pl.DataFrame, named: Collection[int] | None, kept: list[int]
) -> None:
    tools = replace(tools, outlet=replace(tools.outlet, keep=2), named=lambda: named)
    for day in (26, 27, 28, 29, 30):
        # Judged worse than the first one, or on too few visits: only the first is promoted.
        await train_version(Window(two_tastes[: day * 80], {0: day}), tools)
    standing = pointer_of(tools).current
    assert standing is not None
    assert standing[0] == 1
    assert tools.outlet.registry.versions("default", "embedding") == kept


async def test_hidden_items_have_no_vector(tools: Tools, two_tastes: pl.DataFrame) -> None:
    def hidden() -> Collection[str]:
        return {"tea-1"}

    said = await train_version(Window(two_tastes, {0: 1}), replace(tools, hidden=hidden))
    items = loaded(tools, said).scorer.items
    assert ("tea-1" in items, "tea-2" in items) == (False, True)


async def test_an_item_that_nobody_touched_is_in_the_version(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    names = [*(f"{kind}-{n}" for kind in ("tea", "tool") for n in range(20)), "tea-new"]
    added = as_datetime(NOW)
    sold = {name: CatalogueItem(item_id=name, title=name, added_at=added) for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new_items, "LEAST_TAUGHT", 40)
        patched = replace(tools, catalogue=lambda: sold)
        said = await train_version(Window(two_tastes, {0: 1}), patched)
    scorer = loaded(tools, said).scorer
    assert scorer.items.ids[40:] == ("tea-new",)
    taste = scorer.scores(scorer.user_vectors([("s0", []), ("s1", [])])[0], np.array([40]))
    assert taste[0, 0] > taste[1, 0], "the one with a taste for tea likes it more"


async def test_a_version_goes_on_from_the_one_in_service_with_what_came_since(
    tools: Tools, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    learnt: list[tuple[bool, int]] = []

    def fit(data: Interactions, rule: Training, *rest: object) -> Fitted:
        learnt.append((data.start is not None, rule.epochs))
        if data.start is None:
            return factorise(data, rule, lambda _: False, None)
        assert len(data.user_rows) < len(data.users) * 40 / 2, "the newest lines alone"
        start = data.start
        assert isinstance(start, Start)
        return Fitted(start.user_vectors, start.item_vectors, 1.0, 0.0, (0.0,))

    settings = tools.settings.model_copy(update={"full_every": 2})
    tools = replace(tools, fit=fit, settings=settings)
    await train_version(Window(two_tastes[:2000], {0: 1}), tools)
    second = await train_version(Window(two_tastes, {0: 1}), tools)
    third = await train_version(Window(two_tastes, {0: 1}), tools, Why.ASKED)
    epochs = tools.settings.epochs
    assert learnt[:2] == [(False, epochs)] * 2
    assert learnt[2:4] == [(True, tools.settings.warm_epochs)] * 2
    assert {started for started, _ in learnt[4:]} == {False}, "who asks gets a whole one"
    warm = [loaded(tools, said).manifest.provenance.warm for said in (second, third)]
    assert warm == [1, 0]
    assert second.metrics["model_recall_at_20"] == pytest.approx(1.0)


async def test_told_to_stop_nothing_is_left(tools: Tools, two_tastes: pl.DataFrame) -> None:
    def stopping(*_: object) -> Fitted:
        raise Stopped

    with pytest.raises(Stopped):
        await train_version(Window(two_tastes, {0: 1}), replace(tools, fit=stopping))
    assert tools.outlet.registry.versions("default", "embedding") == []
    assert producer_of(tools).sent == []


async def test_nothing_to_train_on_is_said(tools: Tools, two_tastes: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="no lines"):
        await train_version(Window(two_tastes[:0], {}), tools)


async def test_the_same_lines_give_the_same_arrays(tools: Tools, two_tastes: pl.DataFrame) -> None:
    first = loaded(tools, await train_version(Window(two_tastes, {0: 1}), tools)).manifest
    # Beside a version in service its rule would be chosen on other visits.
    pointer_of(tools).current = None
    second = loaded(tools, await train_version(Window(two_tastes, {0: 1}), tools)).manifest
    assert (first.arrays, first.lists) == (second.arrays, second.lists)


@pytest.fixture
def many_tastes() -> pl.DataFrame:
    """20 tastes of 60 things each, two shoppers a taste who buy all of them, six a visit."""
    rng, rows = np.random.default_rng(6), []
    for shopper in range(40):
        things = np.concatenate([rng.permutation(60) for _ in range(2)])
        for visit in range(20):
            moment = START + visit * DAY_MS + shopper * 60_000
            rows += [
                (
                    f"s{shopper}",
                    f"v{visit}-s{shopper}",
                    "purchase",
                    f"t{shopper % 20}-{thing}",
                    moment,
                )
                for thing in things[6 * visit : 6 * visit + 6]
            ]
    frame = pl.DataFrame(rows, ["user", "event_id", "type", "item", "time_ms"], orient="row")
    price, country = pl.lit(None, dtype=pl.Float64), pl.lit(None, dtype=pl.String)
    return frame.sort("time_ms").with_columns(
        price=price, log_ms=pl.col("time_ms") + 5, country=country
    )


async def test_a_version_of_many_items_has_an_index_and_a_smaller_one_has_not(
    tools: Tools, many_tastes: pl.DataFrame
) -> None:
    manifests = []
    for index_from in (1_000, 2_000):
        update = {"index_from_items": index_from, "dimensions": 32}
        settings = tools.settings.model_copy(update=update)
        unpromoted = replace(tools, settings=settings, whole_lists=NothingUseful())  # it is quick
        said = await train_version(Window(many_tastes, {0: 1}), unpromoted)
        model = loaded(tools, said)
        manifests.append(model.manifest)
        rows, _ = model.scorer.nearest(model.scorer.user_vectors([("s7", [])])[0], 20)
        assert {model.scorer.items[row].split("-")[0] for row in rows[0]} == {"t7"}
    indexed, exact = manifests
    assert len(indexed.arrays) == len(exact.arrays) + 2
    assert exact.index is None
    assert indexed.index is not None
    assert indexed.index.recall >= 0.99
