"""The promise on Apache Kafka: a worker dies by kill -9, and nothing is lost or doubled."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]


@pytest.mark.usefixtures("live_kafka_possible")
def test_the_other_worker_takes_over() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "millstream", "verify", "takeover", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])

    assert found["accepted"] >= 10_000
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert (found["lost_lines"], found["doubled_lines"]) == (0, 0)
    assert found["shoppers_left_behind"] == 0
    assert found["takeover_s"] <= 30
