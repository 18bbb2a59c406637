"""The training benchmark at a small size: the command as typed, with the real network."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from millstream.cli.bench import ROOT

METRICS = ("recall_at_20", "mrr_at_20", "ndcg_at_20")
# A process of its own: TensorFlow's threads can be limited only before it has computed anything.
COMMAND = (sys.executable, "-c", "from millstream.cli.bench import app; app()", "training")


def test_both_settings_are_trained_and_stand_beside_the_baselines() -> None:
    done = subprocess.run(
        [*COMMAND, "--lines", "4000", "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "MILLSTREAM_BATCH_SIZE": "7"},  # ours are the defaults all the same
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    result = json.loads(line)
    rows = {row["name"]: row for row in result["rows"]}
    assert list(rows) == [
        "document",
        "ours",
        "stale",
        "warm",
        "popularity",
        "covisitation",
    ]
    chosen = {name: (row["batch_size"], row["epochs"]) for name, row in rows.items()}
    assert chosen == {
        "document": (32, 5),
        "ours": (2048, 12),
        "stale": (2048, 12),
        "warm": (2048, 2),
        "popularity": (None, None),
        "covisitation": (None, None),
    }
    assert all(rows[name]["fit_seconds"] > 0 for name in ("document", "ours", "stale", "warm"))
    assert all(0 < row[metric] < 1 for row in rows.values() for metric in METRICS)
    trained = rows["ours"]["recall_at_20"]
    assert trained > rows["popularity"]["recall_at_20"], "the model learnt nothing of shoppers"
    assert 3000 < result["train_lines"] <= 4200
    assert 3800 < result["test_lines"] <= 4200
    assert 0 < result["queries_with_history"] < result["queries"]
    assert result["cpus"] > 0
    assert "document: batch 32, 5 epochs" in done.stderr


def test_tensorflow_is_imported_only_once_something_is_trained() -> None:
    program = (
        "import sys; from millstream.cli.bench import ROOT, benchmark; "
        "benchmark('training', ROOT); print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "set()"
