from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.training.stream.test_replay import RULE
from tests.unit.trainer.stream.made_shop import made_events, made_recording

from millstream.trainer.fitting import Fit
from millstream.trainer.stream.evaluate import evaluate_stream
from millstream.trainer.stream.ours import BY_ENCODER
from millstream.trainer.stream.plot import draw
from millstream.trainer.stream.prepared import EVENT_WEIGHTS, OursRule


def test_where_fashion_changes_daily_fresh_beats_static(factorise: Fit, tmp_path: Path) -> None:
    recording = made_recording(made_events(days=8, visits_a_day=16, seed=17))
    lines: list[str] = []
    found = evaluate_stream(
        recording,
        2,
        OursRule(replace(RULE, encoder=RULE.training), event_weights=EVENT_WEIGHTS[:2]),
        factorise,
        lines.append,
    )
    rows = {row["name"]: row for row in found["rows"]}
    static, fresh = rows["ours, static"], rows["ours, every event"]
    assert fresh["recall_at_20"] > static["recall_at_20"] + 0.2
    gained = fresh["recall_at_20"] - static["recall_at_20"]
    assert found["freshness_gain"] >= gained - 1e-9  # a mean of differences, rounded otherwise
    assert found["freshness_gain_interval"][0] > 0.1
    assert fresh["recall_at_20"] > rows["decayed popularity"]["recall_at_20"]
    assert rows["decayed popularity"]["recall_at_20"] > rows["popularity"]["recall_at_20"]
    assert [seed["seed"] for seed in found["seeds"]] == [0, 1]
    _shares_add_up(found["components"], static["recall_at_20"], fresh["recall_at_20"])
    # The same model in both, which stands still in one of them.
    assert 0 < rows[BY_ENCODER]["recall_at_20"] <= rows["production list"]["recall_at_20"]
    dot_product = rows["dot product"]["recall_at_20"]
    assert 0 < dot_product < static["recall_at_20"]
    asked = sum(part["questions"] for part in fresh["by_type"].values())
    assert asked == found["questions"] == len(recording.events) - recording.split
    assert json.loads(json.dumps(found)) == found
    chosen = found["seeds"][0]["chosen"]["ways"]["fresh"]["settings"]
    assert any(line.startswith(f"to set: {chosen}; on the held-out part") for line in lines)
    assert found["learnt"] == round(recording.split / len(recording.events), 4)
    picture = tmp_path / "plots" / "made.png"
    draw(found, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def _shares_add_up(components: dict[str, dict[str, float]], static: float, fresh: float) -> None:
    assert set(components) == {"repeat", "covisited", "embedding", "popular", "new", "neighbours"}
    for shares in components.values():
        assert all(0 <= value <= 1 for value in shares.values())
    assert max(each["thawed"] for each in components.values()) > static
    assert min(each["frozen"] for each in components.values()) <= fresh
