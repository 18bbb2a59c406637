"""The baselines over one recording: settings chosen before the split, as ours are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from millstream.ranking.items import ItemTable
from millstream.trainer.stream.baselines import asked_ranks
from millstream.trainer.stream.choose import baselines, choose_baseline
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.scores import Scores, scores_of


def theirs(
    parts: Parts, seed: int, told: Callable[[str], None]
) -> tuple[dict[str, Scores], dict[str, str]]:
    """Scores and chosen settings by name."""
    asked = parts.asked(parts.test)
    questions = np.repeat(np.arange(len(asked)), [len(row.wanted) for row in asked])
    scores, chosen = {}, {}
    for name, made in baselines(parts.items, parts.visit_gap_ms, seed).items():
        table = ItemTable()
        setting, baseline = choose_baseline(
            made(table), (parts.before, parts.held_out), parts.min_earlier, table
        )
        found = asked_ranks(baseline, parts.test, table, parts.min_earlier)
        scores[name], chosen[name] = scores_of(found, questions, len(asked)), setting
        told(f"{name} ({setting}): {scores[name].means()}")
    return scores, chosen
