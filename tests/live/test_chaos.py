"""A short run of the whole harness on Apache Kafka, as the command runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live
MINUTES = "1.5"
DEADLINE_S = 420


def test_a_short_run_keeps_every_promise(live_kafka_possible: None) -> None:
    run = subprocess.run(
        [
            *(sys.executable, "-m", "millstream", "chaos"),
            *("--seed", "3", "--minutes", MINUTES, "--tier", "bare", "--lanes", "2"),
            *("--schedules", "20", "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr[-4000:]}"
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["accepted"] >= 5_000
    assert found["faults"] >= 5
    assert found["schedules"] >= 1
    assert found["duplicates_sent"] >= 100
    assert (found["lost"], found["doubled"], found["conservation_residue"]) == (0, 0, 0)
