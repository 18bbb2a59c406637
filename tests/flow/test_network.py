"""The trained network and what serves it without TensorFlow: the same scores, and a taste."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from millstream.domain.models import Network
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.network import build_network, network_weights
from millstream.model.scorer import Scorer, probability
from millstream.model.sessions.encoder import beside_items
from millstream.model.vocabulary import Vocabulary
from millstream.trainer import train_sessions
from millstream.trainer.encode import EncoderStart, Interactions, Start, encode
from millstream.trainer.examine import sound
from millstream.trainer.fitting import Stopped, assemble
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.train import fit_network
from millstream.trainer.train_sessions import fit_sessions

# Keras reads the learning rate for TensorBoard in a way that numpy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RULE = ServingRule(recent_items=24, recent_half_life=10.0, recent_share=0.7)


@pytest.fixture(scope="module")
def two_tastes() -> Interactions:
    """40 shoppers: even ones touch 10 of 20 teas, odd ones 10 of 20 tools."""
    rng = np.random.default_rng(2)
    rows = [
        (f"s{shopper}", f"{('tea', 'tool')[shopper % 2]}-{thing}", 1.0)
        for shopper in range(40)
        for thing in rng.choice(20, size=10, replace=False)
    ]
    lines = pl.DataFrame(rows, ["user", "item", "weight"], orient="row")
    return encode(lines.with_columns(pl.col("weight").cast(pl.Float32)), 24)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_serving_and_keras_give_the_same_probabilities(sign: float) -> None:
    model = build_network(users=7, items=11, dimensions=5, learning_rate=0.01, seed=3)
    rng = np.random.default_rng(4)
    for variable in model.trainable_variables:
        variable.assign(sign * rng.normal(size=variable.shape))
    trained = network_weights(model)
    scorer = Scorer(
        Embeddings(
            users=Vocabulary(f"u{row}" for row in range(7)),
            items=Vocabulary(f"i{row}" for row in range(11)),
            user_vectors=trained.user_vectors,
            item_vectors=trained.item_vectors,
            recent_to_user=np.zeros((6, 5), dtype=np.float32),
            dense_weight=trained.dense_weight,
            dense_bias=trained.dense_bias,
            rule=RULE,
        )
    )
    vectors, _ = scorer.user_vectors([(f"u{row}", []) for row in range(7)])
    served = probability(scorer.scores(vectors, np.arange(11, dtype=np.int32)))
    users, items = np.meshgrid(np.arange(7), np.arange(11), indexing="ij")
    asked = model.predict([users.reshape(-1, 1), items.reshape(-1, 1)], verbose=0)
    np.testing.assert_allclose(served, asked.reshape(7, 11), atol=1e-5)
    order = scorer.nearest(vectors, 11)[0]
    np.testing.assert_array_equal(order, np.argsort(-served, axis=1, kind="stable"))


def test_it_is_the_network_of_the_document() -> None:
    model = build_network(users=2, items=3, dimensions=4, learning_rate=0.001, seed=1)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [
        "InputLayer",
        "InputLayer",
        "Embedding",
        "Embedding",
        "Dot",
        "Flatten",
        "Dense",
    ]
    assert type(model.optimizer).__name__ == "Adam"
    assert type(model.loss).__name__ == "BinaryCrossentropy"
    assert model.count_params() == 2 * 4 + 3 * 4 + 2


def test_it_recommends_inside_the_taste_and_writes_its_curves(
    two_tastes: Interactions, tmp_path: Path
) -> None:
    rule = TrainerSettings(
        dimensions=8, batch_size=256, epochs=40, learning_rate=0.02, negative_power=0.0
    ).training()
    fitted = fit_network(two_tastes, rule, lambda _: False, tmp_path)
    assert len(fitted.losses) == 40
    assert fitted.losses[-1] < 0.8 * fitted.losses[0]
    scorer = Scorer(assemble(two_tastes, fitted, RULE, ridge=0.1))
    asked = [("s0", []), ("s1", []), ("new", ["tea-1"]), ("new", ["tool-1"]), ("s0", ["tea-2"])]
    rows, _ = scorer.nearest(scorer.user_vectors(asked)[0], 10)
    tastes = [{scorer.items[row].split("-")[0] for row in line} for line in rows]
    assert tastes == [{"tea"}, {"tool"}, {"tea"}, {"tool"}, {"tea"}]
    (curve,) = (tmp_path / "train").glob("events.out.tfevents.*")
    raw = curve.read_bytes()
    assert raw.count(b"epoch_loss") == raw.count(b"epoch_accuracy") == 40


def test_an_encoder_recommends_inside_the_taste_and_writes_its_curve(
    two_tastes: Interactions, tmp_path: Path
) -> None:
    rule = TrainerSettings(dimensions=8, session_epochs=40).training(Network.SESSIONS)
    fitted = fit_sessions(two_tastes, rule, lambda _: False, tmp_path)
    assert len(fitted.losses) == 40
    assert fitted.losses[-1] < fitted.losses[0]
    scorer = Scorer(assemble(two_tastes, fitted, RULE, ridge=0.1))
    asked = [("s0", []), ("s1", []), ("new", ["tea-1"]), ("new", ["tool-1"]), ("s0", ["tea-2"])]
    vectors, known = scorer.user_vectors(asked)
    assert known.all()
    rows, logits = scorer.nearest(vectors, 10)
    tastes = [{scorer.items[row].split("-")[0] for row in line} for line in rows]
    assert tastes == [{"tea"}, {"tool"}, {"tea"}, {"tool"}, {"tea"}]
    # A logit is the logarithm of a share of all items: the first ten of forty have much of it.
    assert (np.exp(logits).sum(axis=1) > 0.2).all()
    assert (np.exp(logits).sum(axis=1) < 2.0).all()
    (curve,) = (tmp_path / "train").glob("events.out.tfevents.*")
    assert curve.read_bytes().count(b"epoch_loss") == 40


def test_a_training_goes_on_from_where_it_is_told(two_tastes: Interactions) -> None:
    settings = TrainerSettings(dimensions=8, epochs=30, learning_rate=0.02)
    first = fit_network(two_tastes, settings.training(), lambda _: False, None)
    start = Start(first.user_vectors, first.item_vectors, first.dense_weight, first.dense_bias)
    once = settings.model_copy(update={"epochs": 1}).training()
    afresh = fit_network(two_tastes, once, lambda _: False, None)
    again = fit_network(replace(two_tastes, start=start), once, lambda _: False, None)
    assert again.losses[0] < 0.8 * afresh.losses[0]


def test_an_encoder_goes_on_from_where_it_is_told(two_tastes: Interactions) -> None:
    """Three touches of each shopper are new, and of one item nothing is known."""
    settings = TrainerSettings(dimensions=8, session_epochs=4, warm_epochs=1)
    rule, warm = settings.training(Network.SESSIONS), settings.warm_training(Network.SESSIONS)
    first = fit_sessions(two_tastes, rule, lambda _: False, None)
    assert first.encoder is not None
    items = first.item_vectors.copy()
    items[3] = 0.0
    start = EncoderStart(items, first.encoder, np.full(len(two_tastes.users), 3))
    again = fit_sessions(replace(two_tastes, start=start), warm, lambda _: False, None)
    assert len(again.losses) == 1
    assert again.encoder is not None
    before, after = beside_items(first.encoder), beside_items(again.encoder)
    assert all(np.abs(after[name] - values).max() < 0.1 for name, values in before.items())
    assert np.abs(after["mixed"] - before["mixed"]).max() > 0.0
    apart = np.einsum("id,id->i", first.item_vectors, again.item_vectors)
    assert (np.delete(apart, 3) > 0.9).all()
    assert np.linalg.norm(again.item_vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_an_encoder_learns_the_same_whatever_the_process_learnt_before(
    two_tastes: Interactions,
) -> None:
    """All fits of a process share what TensorFlow compiled, and nothing that they learnt."""
    rule = TrainerSettings(dimensions=8, session_epochs=2).training(Network.SESSIONS)
    touched = two_tastes.touched
    stretched = replace(touched, items=2 * touched.items)
    names = Vocabulary(f"i{row}" for row in range(2 * len(two_tastes.items)))
    wider = replace(two_tastes, items=names, item_rows=2 * two_tastes.item_rows, touched=stretched)
    made = train_sessions._fitting.cache_info().misses
    first, other, again = (
        fit_sessions(data, rule, lambda _: False, None) for data in (two_tastes, wider, two_tastes)
    )
    assert train_sessions._fitting.cache_info().misses <= made + 1
    assert len(other.item_vectors) == 2 * len(first.item_vectors)
    assert first.losses == again.losses != other.losses
    np.testing.assert_array_equal(first.item_vectors, again.item_vectors)
    assert first.encoder is not None
    assert again.encoder is not None
    one, two = beside_items(first.encoder), beside_items(again.encoder)
    assert all((one[name] == two[name]).all() for name in one)


def test_an_encoder_stops_in_the_middle_of_an_epoch(two_tastes: Interactions) -> None:
    rule = TrainerSettings(dimensions=8).training(Network.SESSIONS)
    asked = iter([False, True])
    with pytest.raises(Stopped):
        fit_sessions(two_tastes, rule, lambda _: next(asked), None)


def test_the_same_seed_gives_the_same_weights(two_tastes: Interactions) -> None:
    rule = TrainerSettings(dimensions=4, batch_size=64, epochs=1).training()
    first, second = (fit_network(two_tastes, rule, lambda _: False, None) for _ in range(2))
    np.testing.assert_allclose(first.user_vectors, second.user_vectors, atol=1e-6)
    np.testing.assert_allclose(first.item_vectors, second.item_vectors, atol=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        [("s", "i", 1.0)],
        [("s", f"i{n}", 1.0) for n in range(40)],
        [(f"s{n}", "i", 1.0) for n in range(40)],
        [("robot", "i0", 1e12), *((f"s{n % 9}", f"i{n % 7}", 1.0) for n in range(60))],
    ],
    ids=["one pair", "one shopper", "one item", "one that outweighs all"],
)
def test_what_it_learns_from_odd_pairs_is_finite(rows: list[tuple[str, str, float]]) -> None:
    lines = pl.DataFrame(rows, ["user", "item", "weight"], orient="row")
    data = encode(lines.with_columns(pl.col("weight").cast(pl.Float32)), 24)
    rule = TrainerSettings(dimensions=4, batch_size=32, epochs=4).training()
    fitted = fit_network(data, rule, lambda _: False, None)
    assert sound(assemble(data, fitted, RULE, ridge=0.1))
    assert np.isfinite(fitted.losses).all()


def test_it_stops_in_the_middle_of_an_epoch(two_tastes: Interactions) -> None:
    rule = TrainerSettings(dimensions=4, batch_size=1, epochs=1000).training()
    shares: list[float] = []

    def third(share: float) -> bool:
        shares.append(share)
        return len(shares) == 3

    with pytest.raises(Stopped):
        fit_network(two_tastes, rule, third, None)
    assert 0 == shares[0] < shares[1] < shares[2] < 0.01


def test_serving_does_not_import_tensorflow() -> None:
    program = (
        "import sys; from millstream.model import registry, scorer, signing; "
        "from millstream.ranking import rank; "
        "print(sorted({'tensorflow', 'keras', 'polars', 'redis'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
