"""Events in, a promoted version out; and everything that can keep a version from being promoted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.models import ModelAnnouncement
from millstream.model.artifact import Identity
from millstream.model.registry import LoadedModel, Registry
from millstream.model.scorer import Scorer
from millstream.ranking.settings import RankingSettings
from millstream.trainer.collect import Window
from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fit, Fitted, Stopped
from millstream.trainer.pipeline import train_version
from millstream.trainer.settings import TrainerSettings, Training
from millstream.trainer.split import Query
from millstream.trainer.tools import Tools
from millstream.trainer.whole_list import RankedLists

NOW = 1_770_000_000_000
DAY_MS = 86_400_000
START = NOW - 30 * DAY_MS


@dataclass
class Pointer:
    """Compare-and-set in memory."""

    current: tuple[int, str] | None = None
    overtaken: bool = False

    async def read(self, _tenant: str, _model: str) -> tuple[int, str] | None:
        return self.current

    async def promote(
        self, _tenant: str, _model: str, version: int, sha: str, expected_version: int | None
    ) -> bool:
        standing = None if self.current is None else self.current[0]
        if self.overtaken or standing != expected_version or version <= (standing or 0):
            return False
        self.current = (version, sha)
        return True


@dataclass
class Producer:
    pointer: Pointer
    sent: list[tuple[str, bytes, ModelAnnouncement, tuple[int, str] | None]] = field(
        default_factory=list
    )

    async def send_and_wait(self, topic: str, value: bytes, key: bytes) -> object:
        said = msgspec.json.decode(value, type=ModelAnnouncement)
        self.sent.append((topic, key, said, self.pointer.current))
        return None


def nothing_useful(
    before: pl.DataFrame, queries: Sequence[Query], scorer: Scorer
) -> Sequence[Sequence[str]]:
    return [["no such item"] for _ in queries]


@pytest.fixture
def tools(tmp_path: Path, factorise: Fit) -> Tools:
    pointer = Pointer()
    settings = TrainerSettings(topic_prefix="t.", dimensions=8, recent_items=4)
    return Tools(
        settings=settings,
        fit=factorise,
        whole_list=RankedLists("default", RankingSettings(), dict),
        hidden=frozenset,
        registry=Registry(tmp_path / "models"),
        key=Ed25519PrivateKey.generate(),
        pointer=pointer,
        producer=Producer(pointer),
        clock=lambda: NOW,
        stop=lambda: False,
    )


def producer_of(tools: Tools) -> Producer:
    assert isinstance(tools.producer, Producer)
    return tools.producer


def pointer_of(tools: Tools) -> Pointer:
    assert isinstance(tools.pointer, Pointer)
    return tools.pointer


def loaded(tools: Tools, said: ModelAnnouncement) -> LoadedModel:
    wanted = Identity("default", "embedding", said.version, said.manifest_sha256)
    return tools.registry.load(tools.key.public_key(), wanted)


async def test_a_version_is_measured_registered_promoted_and_announced(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    said = await train_version(Window(two_tastes, {0: 1200, 3: 7}), tools)
    assert said.promoted
    assert said.verdict.startswith("promoted, good enough: recall@20")
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
    assert int(manifest.created_at.timestamp() * 1000) == NOW
    assert manifest.rule.recent_items == 4


async def test_a_list_below_popularity_is_kept_but_not_promoted(
    tools: Tools, two_tastes: pl.DataFrame
) -> None:
    said = await train_version(
        Window(two_tastes, {0: 1}), replace(tools, whole_list=nothing_useful)
    )
    assert not said.promoted
    assert said.verdict.startswith("not promoted: recall@20 0.0000")
    assert pointer_of(tools).current is None
    assert tools.registry.versions("default", "embedding") == [1]
    assert producer_of(tools).sent[0][2] == said


async def test_weights_that_are_not_finite_are_not_promoted(
    tools: Tools, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    def diverge(
        data: Interactions, rule: Training, stop: Callable[[], bool], log_dir: Path | None
    ) -> Fitted:
        fitted = factorise(data, rule, stop, log_dir)
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
    pointer_of(tools).current = (41, "0" * 64)
    said = await train_version(Window(two_tastes, {0: 1}), tools)
    assert (said.version, said.promoted) == (42, True)


async def test_hidden_items_have_no_vector(tools: Tools, two_tastes: pl.DataFrame) -> None:
    def hidden() -> Collection[str]:
        return {"tea-1"}

    said = await train_version(Window(two_tastes, {0: 1}), replace(tools, hidden=hidden))
    items = loaded(tools, said).scorer.items
    assert ("tea-1" in items, "tea-2" in items) == (False, True)


async def test_told_to_stop_nothing_is_left(tools: Tools, two_tastes: pl.DataFrame) -> None:
    def stopping(*_: object) -> Fitted:
        raise Stopped

    with pytest.raises(Stopped):
        await train_version(Window(two_tastes, {0: 1}), replace(tools, fit=stopping))
    assert tools.registry.versions("default", "embedding") == []
    assert producer_of(tools).sent == []


async def test_nothing_to_train_on_is_said(tools: Tools, two_tastes: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="no lines"):
        await train_version(Window(two_tastes[:0], {}), tools)


async def test_the_same_lines_give_the_same_arrays(tools: Tools, two_tastes: pl.DataFrame) -> None:
    first = loaded(tools, await train_version(Window(two_tastes, {0: 1}), tools)).manifest
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
    price = pl.lit(None, dtype=pl.Float64)
    return frame.sort("time_ms").with_columns(price=price, log_ms=pl.col("time_ms") + 5)


async def test_a_version_of_many_items_has_an_index_and_a_smaller_one_has_not(
    tools: Tools, many_tastes: pl.DataFrame
) -> None:
    manifests = []
    for index_from in (1_000, 2_000):
        update = {"index_from_items": index_from, "dimensions": 32}
        settings = tools.settings.model_copy(update=update)
        unpromoted = replace(tools, settings=settings, whole_list=nothing_useful)  # it is quick
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
