"""Training on several devices: each step is what it is on one, and the version is taken."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from tests.documents import ROOT

NETWORKS = ("dot-product", "sessions")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    program = [sys.executable, "-m", "tests.flow.mirrored_fits", str(tmp_path_factory.mktemp("m"))]
    done = subprocess.run(
        program, capture_output=True, text=True, cwd=ROOT, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert tuple(found) == NETWORKS
    return found


@pytest.mark.parametrize("network", NETWORKS)
def test_two_devices_learn_what_one_learns(compared: dict[str, Any], network: str) -> None:
    found = compared[network]
    assert found["one_losses"][-1] < found["one_losses"][0]
    np.testing.assert_allclose(found["two_losses"], found["one_losses"], rtol=1e-4)
    np.testing.assert_allclose(found["two_items"], found["one_items"], atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_two_devices_made_is_taken_and_serves(compared: dict[str, Any], network: str) -> None:
    assert compared[network]["in_taste"] == 1
