"""Going on from a version: what was there stays there, what is new joins where it belongs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest

from millstream.domain.models import Network, SessionInput
from millstream.model.embeddings import Embeddings, FloatArray, ServingRule
from millstream.model.manifest import SCHEMA_VERSION, DataWindow, Manifest, Provenance, Quality
from millstream.model.registry import LoadedModel
from millstream.model.scorer import Scorer
from millstream.model.sessions.encoder import EncoderArrays
from millstream.model.sessions.told import GAPS, KINDS
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.encode import EncoderStart, NothingToTrainOn, Start
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.warm_start import Begun, begun_by

RULE = ServingRule(24, 10.0, 0.5)
SEEN_MS = 100


def version(network: Network = Network.DOT_PRODUCT, warm: int = 0) -> LoadedModel:
    """Of ann and bob, and of items a to h; a to d lie in one direction, e to h in another."""
    rng = np.random.default_rng(1)
    items = 0.1 * rng.normal(size=(8, 4)).astype(np.float32)
    items[:4, 0] += 2.0
    items[4:, 1] += 2.0
    parts = Embeddings(
        users=Vocabulary(["ann", "bob"]),
        items=Vocabulary("abcdefgh"),
        user_vectors=rng.normal(size=(2, 4)).astype(np.float32),
        item_vectors=items,
        recent_to_user=np.eye(5, 4, dtype=np.float32),
        dense_weight=2.0,
        dense_bias=-1.0,
        rule=RULE,
    )
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        tenant="default",
        model="embedding",
        version=7,
        arrays={},
        lists={},
        rule=RULE,
        window=DataWindow(1, SEEN_MS, {0: 10}, 10, 9, 8),
        provenance=Provenance("0.1.0", "0123456789ab", 1, warm),
        quality=Quality({}, "good enough", True),
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        network=network,
    )
    return LoadedModel(manifest, Scorer(parts))


def zeros(*shape: int) -> FloatArray:
    return np.zeros(shape, dtype=np.float32)


def encoder_version() -> LoadedModel:
    """The same, by an encoder that was told of kinds and gaps."""
    begun = version(Network.SESSIONS)
    parts = begun.scorer.parts
    d = 4
    arrays = EncoderArrays(
        items=parts.item_vectors,
        normed=zeros(3, d),
        mixed=zeros(d, 3 * d),
        joined=zeros(d, d),
        widened=zeros(d, 2 * d),
        widened_bias=zeros(2 * d),
        narrowed=zeros(2 * d, d),
        narrowed_bias=zeros(d),
        asking=zeros(d, d),
        answering=zeros(d, d),
        distance=zeros(2, 32),
        pool_distance=zeros(32),
        temperature=0.07,
        kinds=zeros(KINDS, d),
        gaps=zeros(GAPS, d),
        pool_kinds=zeros(KINDS),
        pool_ages=zeros(GAPS),
    )
    return LoadedModel(begun.manifest, Scorer(replace(parts, encoder=arrays)))


def lines(*rows: tuple[str, str, int]) -> pl.DataFrame:
    """user, item, time in ms; as stage 2 gives them."""
    frame = pl.DataFrame(rows, ["user", "item", "time_ms"], orient="row")
    return frame.with_columns(weight=pl.lit(1.0, dtype=pl.Float32))


LINES = lines(
    ("ann", "a", 10),
    ("bob", "e", 20),
    ("ann", "b", 90),
    ("ann", "new", 110),
    ("cleo", "c", 120),
    ("cleo", "new", 130),
    ("ann", "d", 140),
)


def test_what_was_not_seen_is_learnt_from_among_all_rows() -> None:
    data = Begun(version(), SEEN_MS).going_on(LINES, 24)
    assert data.users.ids == ("ann", "bob", "cleo")
    assert data.items.ids == ("a", "b", "c", "d", "e", "new")
    pairs = zip(data.user_rows.tolist(), data.item_rows.tolist(), strict=True)
    assert set(pairs) == {(0, 3), (0, 5), (2, 2), (2, 5)}
    assert data.recent[0] == [3, 5, 1, 0]


def test_known_rows_begin_where_they_were() -> None:
    begun = version()
    start = Begun(begun, SEEN_MS).going_on(LINES, 24).start
    assert isinstance(start, Start)
    parts = begun.scorer.parts
    np.testing.assert_array_equal(start.user_vectors[:2], parts.user_vectors)
    np.testing.assert_array_equal(start.item_vectors[:5], parts.item_vectors[:5])
    assert (start.dense_weight, start.dense_bias) == (2.0, -1.0)


def test_a_new_item_joins_its_neighbours_and_a_new_user_what_was_touched() -> None:
    begun = version()
    start = Begun(begun, SEEN_MS).going_on(LINES, 24).start
    assert isinstance(start, Start)
    new = start.item_vectors[5]
    assert new[0] > 5 * np.abs(new[1:]).max(), "it was touched with a to d"
    lengths = np.linalg.norm(start.item_vectors, axis=1)
    assert lengths[5] == pytest.approx(lengths[:5].mean(), rel=1e-3)
    served, _ = begun.scorer.user_vectors([("cleo", ["new", "c"])])
    np.testing.assert_allclose(start.user_vectors[2], served[0], rtol=1e-5)


def test_an_encoder_learns_unseen_touches_and_shoppers_are_of_all() -> None:
    begun = encoder_version()
    data = Begun(begun, SEEN_MS).going_on(LINES, 24)
    assert isinstance(data.start, EncoderStart)
    assert dict(zip(data.users.ids, data.start.fresh.tolist(), strict=True)) == {
        "ann": 2,
        "bob": 0,
        "cleo": 2,
    }
    assert data.start.encoder is begun.scorer.parts.encoder
    assert len(data.user_rows) == LINES.height


def test_without_news_there_is_nothing_to_train_on() -> None:
    with pytest.raises(NothingToTrainOn):
        Begun(version(), 1_000).going_on(LINES, 24)


SETTINGS = TrainerSettings(full_every=3, dimensions=4)


def test_of_so_many_versions_one_learns_from_the_whole_window() -> None:
    begun = [begun_by(version(warm=warm), SEEN_MS, SETTINGS) for warm in range(3)]
    assert [one and one.warm for one in begun] == [1, 2, None]
    assert begun_by(version(), SEEN_MS, TrainerSettings(dimensions=4)) is None


@pytest.mark.parametrize("inputs", [(), (SessionInput.KIND,), (SessionInput.GAP,)])
def test_an_encoder_is_gone_on_from_where_it_was_told_the_same(
    inputs: tuple[SessionInput, ...],
) -> None:
    settings = SETTINGS.model_copy(update={"networks": (Network.SESSIONS,)})
    assert begun_by(encoder_version(), SEEN_MS, settings) is not None
    other = settings.model_copy(update={"session_inputs": inputs})
    assert begun_by(encoder_version(), SEEN_MS, other) is None


@pytest.mark.parametrize(
    ("begun", "seen_until_ms", "changes"),
    [
        (None, SEEN_MS, {}),
        (version(), None, {}),
        (version(), SEEN_MS, {"dimensions": 8}),
        (version(), SEEN_MS, {"networks": (Network.SESSIONS,)}),
        (version(Network.SESSIONS), SEEN_MS, {}),
    ],
)
def test_what_does_not_fit_is_not_gone_on_from(
    begun: LoadedModel | None, seen_until_ms: int | None, changes: dict[str, object]
) -> None:
    settings = SETTINGS.model_copy(update=changes)
    assert begun_by(begun, seen_until_ms, settings) is None


@pytest.mark.parametrize(
    ("network", "own"),
    [(Network.DOT_PRODUCT, ("epochs", "learning_rate")), (Network.SESSIONS, ("session_epochs",))],
)
def test_the_training_is_shorter_and_the_same_otherwise(
    network: Network, own: tuple[str, ...]
) -> None:
    full, warm = SETTINGS.training(network), SETTINGS.warm_training(network)
    for name in own:
        assert getattr(warm, name) < getattr(full, name)
    changed = {name: getattr(full, name) for name in own}
    assert msgspec.structs.replace(warm, **changed) == full
