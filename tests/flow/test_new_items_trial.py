"""The figures of `millstream evaluate new-items`, with a factorisation in place of the networks."""

from __future__ import annotations

from tests.factorised import factorised_network

from millstream.local.gate_trials import online_retail_world
from millstream.local.new_items_trial import evaluate_new_items, text_readers
from millstream.trainer.settings import TrainerSettings


def test_texts_find_what_nobody_has_touched() -> None:
    lines: list[str] = []
    world = online_retail_world(TrainerSettings.model_construct())
    readers = text_readers(lines.append)
    found = evaluate_new_items(world, factorised_network, readers, 1, lines.append)
    rows = {row["name"]: row for row in found["rows"]}
    for name in ("popularity", "dot-product, no text", "sessions, no text"):
        assert (rows[name]["recall_at_20"], rows[name]["among_new"]) == (0.0, None)
    chance = rows["chance"]["among_new"]
    assert rows["their own sales, which nobody knows"]["among_new"] > 2 * chance
    assert set(readers) == {"letters", "word vectors"}
    for read in readers:
        assert rows[f"dot-product, text by {read}"]["among_new"] > 1.3 * chance, rows
        assert rows[f"sessions, text by {read}"]["among_new"] > 1.3 * chance, rows
        assert rows[f"sessions, text by {read}"]["recall_at_20"] > 0.01, rows
    assert 200 < found["new_items"] < found["items"] / 5
    assert [line.split(":")[0] for line in lines] == ["seed 1"]
