"""The figures of `millstream evaluate new-items`, with a factorisation in place of the networks."""

from __future__ import annotations

from tests.factorised import factorise

from millstream.local.gate_trials import online_retail_world
from millstream.local.new_items_trial import evaluate_new_items
from millstream.trainer.settings import TrainerSettings


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
