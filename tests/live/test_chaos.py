"""A short run of the whole harness on Apache Kafka, as the command runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live
MINUTES = "1.5"
DEADLINE_S = 420


def chaos(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "millstream", "chaos", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_short_run_keeps_every_promise(live_kafka_possible: None, tmp_path: Path) -> None:
    run = chaos(
        *("--logs-to", str(tmp_path)),
        *("--seed", "3", "--minutes", MINUTES, "--tier", "bare", "--lanes", "2"),
        *("--tier", "reviews", "--rate", "1400", "--schedules", "20"),
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr[-4000:]}\n{_ends(tmp_path)}"
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["accepted"] >= 5_000
    assert found["reviews"] >= 200
    assert found["faults"] >= 5
    assert found["schedules"] >= 1
    assert found["duplicates_sent"] >= 100
    assert (found["lost"], found["doubled"], found["conservation_residue"]) == (0, 0, 0)


def test_a_missing_witness_is_found(live_kafka_possible: None) -> None:
    """The other checks: tests/contract/test_chaos_checks.py."""
    run = chaos("--seed", "5", "--minutes", "1", "--without", "witness")
    assert run.returncode == 3, f"{run.stdout}\n{run.stderr[-4000:]}"
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["faults_by_kind"] == {"topic-made-anew-longer": 1}
    assert found["violations"] >= 1
    assert found["doubled"] >= 1


def _ends(logs: Path) -> str:
    """Of what the workers of broken episodes said."""
    return "\n".join(f"{log}: {log.read_text()[-3000:]}" for log in sorted(logs.rglob("*.log")))
