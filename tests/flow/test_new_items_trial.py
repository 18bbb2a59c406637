"""The figures of `millstream evaluate new-items`, with a factorisation in place of the networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from millstream.local.gate_trials import online_retail_world
from millstream.local.new_items_trial import evaluate_new_items
from millstream.trainer.fitting import Fitted
from millstream.trainer.settings import TrainerSettings, Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from millstream.trainer.encode import Interactions


def factorise(
    data: Interactions, rule: Training, stop: Callable[[], bool], log_dir: Path | None
) -> Fitted:
    """The strongest directions of users x items by subspace iteration."""
    table = np.zeros((len(data.users), len(data.items)), dtype=np.float32)
    table[data.user_rows, data.item_rows] = np.log1p(data.weights)
    basis = np.random.default_rng(rule.seed).normal(size=(len(data.items), 16)).astype(np.float32)
    for _ in range(4):
        basis = np.linalg.qr(table.T @ (table @ basis))[0]
    return Fitted(table @ basis, basis, 1.0, 0.0, (0.0,))


def test_texts_find_what_nobody_has_touched() -> None:
    lines: list[str] = []
    world = online_retail_world(TrainerSettings.model_construct())
    found = evaluate_new_items(world, factorise, lines.append)
    rows = {row["name"]: row for row in found["rows"]}
    for name in ("popularity", "dot-product, no text", "sessions, no text"):
        assert (rows[name]["recall_at_20"], rows[name]["among_new"]) == (0.0, None)
    chance = rows["chance"]["among_new"]
    assert rows["their own sales, which nobody knows"]["among_new"] > 2 * chance
    assert rows["dot-product, text"]["among_new"] > 1.3 * chance, rows
    assert 200 < found["new_items"] < found["items"] / 5
    assert [line.split(":")[0] for line in lines] == ["dot-product", "sessions"]
