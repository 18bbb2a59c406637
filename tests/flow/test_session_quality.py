"""The sessions recommender from files to figures, on a small made-up world."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.trainer.sessions.made_sessions import made_sessions, questions_of, write_world
from typer.testing import CliRunner

from millstream.domain.events import EventType
from millstream.domain.models import SessionInput
from millstream.model.sessions.encoder import BLOCK, INPUTS, Encoder, beside_items
from millstream.model.sessions.session_log import session_log
from millstream.model.sessions.told import KIND, KINDS, Told
from millstream.trainer.sessions.data import questions, read_world
from millstream.trainer.sessions.dot_product import fit_dot_product
from millstream.trainer.sessions.evaluate import ask
from millstream.trainer.sessions.fit import FitRule, Fitted, fit
from millstream.trainer.sessions.fit_blend import BlendRule
from millstream.trainer.sessions.fit_encoder import EncoderFit, EncoderRule
from millstream.trainer.sessions.metrics import figures
from millstream.trainer.sessions.network import NetworkRule
from millstream.trainer.sessions.start_vectors import StartRule, start_vectors
from millstream.trainer.settings import Training

CIRCLES = 20
ITEMS = 12 * CIRCLES
NETWORK = NetworkRule(dimensions=16)
ENCODER = EncoderRule(network=NETWORK, epochs=6, targets=100, negatives=64, rate=2e-2)
BLEND = BlendRule(hidden=(8,), epochs=10, sessions=16)
RULE = FitRule(encoder=ENCODER, blend=BLEND, held_out=0.2, choosing_rows=100, blending_rows=1_000)
TRAIN = made_sessions(800, CIRCLES, seed=1)
TEST = questions_of(made_sessions(120, CIRCLES, seed=2))


def fitted_on(directory: Path) -> tuple[Fitted, dict[str, Any]]:
    world = read_world(directory)
    fitted = fit(world.train, world.items, world.least, RULE, 0, lambda _: None)
    return fitted, ask(fitted, world.test, RULE.blend.depth)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("made") / "world", TRAIN, TEST)


@pytest.fixture(scope="module")
def found(folder: Path) -> tuple[Fitted, dict[str, Any]]:
    return fitted_on(folder)


def test_shuffled_test_rows_stand_where_they_stood(
    found: tuple[Fitted, dict[str, Any]], tmp_path: Path
) -> None:
    """Beside a row stand other prefixes of its own session, which end with its target: whatever
    looks at the rows around would answer better in the published order."""
    fitted, ranks = found
    order = np.random.default_rng(5).permutation(len(TEST))
    shuffled = read_world(write_world(tmp_path / "w", TRAIN, [TEST[row] for row in order]))

    again = ask(fitted, shuffled.test, RULE.blend.depth)

    for name in ranks:
        assert again[name].tolist() == ranks[name][order].tolist(), name


def test_other_names_and_another_order_give_the_same_quality(
    found: tuple[Fitted, dict[str, Any]], tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    names = rng.permutation(10 * ITEMS)[: ITEMS + 1].tolist()
    train = [[names[item] for item in TRAIN[row]] for row in rng.permutation(len(TRAIN))]
    shuffled = [TEST[row] for row in rng.permutation(len(TEST))]
    test = [([names[item] for item in prefix], names[target]) for prefix, target in shuffled]

    _, ranks = fitted_on(write_world(tmp_path / "w", train, test))

    ours, theirs = figures(found[1]["blend"]), figures(ranks["blend"])
    assert theirs == pytest.approx(ours, abs=0.04)


def test_the_encoder_learns_and_the_blend_is_not_below_the_best_part(
    found: tuple[Fitted, dict[str, Any]],
) -> None:
    mrr = {name: figures(ranks)["mrr_at_20"] for name, ranks in found[1].items()}

    assert mrr["encoder"] > 5 * mrr["popularity"], mrr
    assert mrr["blend"] > max(mrr[name] for name in mrr if name != "blend"), mrr


@pytest.mark.parametrize("inputs", [(), (SessionInput.KIND,), (SessionInput.GAP,), SessionInput])
def test_the_encoder_serves_in_numpy_what_keras_computes(inputs: Iterable[SessionInput]) -> None:
    rng = np.random.default_rng(1)
    log = session_log(made_sessions(300, 5, seed=3))
    touches = len(log.items)
    seconds = np.cumsum(4 ** rng.integers(0, 9, touches))
    log = replace(log, told=Told(rng.integers(0, KINDS, touches), seconds))
    start = start_vectors(log, 61, NETWORK.dimensions, rng, StartRule())
    network = replace(NETWORK, inputs=frozenset(inputs))
    fitted = EncoderFit(start, replace(ENCODER, network=network, epochs=1), seed=1)
    fitted.run(log, 1, 1e-2, lambda _: None)
    sessions, arrays = questions(log, 1).sessions, fitted.arrays()

    ours = Encoder(arrays).vectors(sessions)

    assert np.abs(ours - fitted.vectors(sessions)).max() < 1e-5
    learnt = beside_items(arrays)
    assert len(learnt) == len(BLOCK) + 2 * len(network.inputs)
    assert all(learnt[name].any() for name in learnt.keys() & set(INPUTS))


def test_an_encoder_learns_what_kinds_say_of_the_next_item() -> None:
    """Of two things one was bought, and that is touched again: which, only its kind says."""
    rng = np.random.default_rng(4)
    pairs = [rng.permutation(30)[:2].tolist() for _ in range(3_000)]
    bought = rng.integers(0, 2, len(pairs))
    sessions = [[*pair, pair[place]] for pair, place in zip(pairs, bought.tolist(), strict=True)]
    kinds = np.full((len(pairs), 3), KIND[EventType.VIEW_ITEM])
    kinds[np.arange(len(pairs)), bought] = KIND[EventType.PURCHASE]
    log = session_log(sessions, Told(kinds.ravel(), np.zeros(kinds.size, dtype=np.int64)))
    start = start_vectors(log, 30, NETWORK.dimensions, rng, StartRule())
    asked = questions(log, 2)
    found = {}
    for inputs in ((), (SessionInput.KIND,)):
        network = replace(NETWORK, inputs=frozenset(inputs), dropout=0.1)
        fitted = EncoderFit(start, replace(ENCODER, network=network), seed=1)
        fitted.run(log, 6, ENCODER.rate, lambda _: None)
        scores = Encoder(fitted.arrays()).scores(asked.sessions)
        found[inputs] = float((scores.argmax(axis=1) == asked.targets).mean())
    assert found[()] < 0.6
    assert found[SessionInput.KIND,] > 0.9


def test_the_baseline_knows_a_session_it_has_not_met_by_its_items() -> None:
    log = session_log([[item - 1 for item in line] for line in made_sessions(300, 5, seed=3)])
    rule = Training(16, 256, 60, 0.02, 4, 0.25, 0.1, seed=0)

    scores = fit_dot_product(log, 60, rule).scores(session_log([[3, 4, 5], [27, 26], []]))

    by_circle = scores.reshape(3, 5, 12).mean(axis=2)
    assert by_circle.argmax(axis=1)[:2].tolist() == [0, 2]
    assert not scores[2].any(), "an empty session"


def test_the_command_prints_every_key_and_draws_the_curve(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from millstream.cli.app import app
    from millstream.trainer.sessions import fit as fitting

    monkeypatch.setattr(fitting, "FitRule", lambda: RULE)
    monkeypatch.setenv("MILLSTREAM_EPOCHS", "1")
    # TensorFlow has computed in this process: its threads are what they are.
    monkeypatch.setattr("millstream.trainer.train.limit_threads", lambda _: None)
    asked = ["evaluate", "sessions", "--data", str(folder), "--seeds", "1", "--json"]
    kept = ["--journal", str(tmp_path / "kept"), "--plot", str(tmp_path)]
    ran = CliRunner().invoke(app, [*asked, *kept])

    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    measured = {"hr_at_10", "hr_at_20", "mrr_at_10", "mrr_at_20"}
    assert told.keys() >= measured | {"test_rows", "train_cpu_minutes", "peak_gib", "seeds"}
    assert all(figures.keys() == measured for figures in told["parts"].values())
    assert told["parts"].keys() >= {"encoder", "session_knn", "linear", "dot_product"}
    assert (tmp_path / f"sessions-{folder.name}.png").read_bytes().startswith(b"\x89PNG")

    again = CliRunner().invoke(app, [*asked, *kept])
    of_the_run = {"cpu_minutes", "peak_gib"}
    assert _without(json.loads(again.stdout), of_the_run) == _without(told, of_the_run), (
        "from the journal"
    )
    assert "fitted in" not in again.output


def _without(told: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in names}
