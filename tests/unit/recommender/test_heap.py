"""Memory that is free goes back to the system, also where something small lies behind it."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from benchmarks.processes import resident_bytes

from millstream.recommender.heap import trim


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the heap is another one")
def test_free_pages_between_what_stays_go_back() -> None:
    burst = [np.ones(512) for _ in range(10_000)]  # 40 MB, each too small for pages of its own
    stays = burst[-1]
    burst.clear()
    held = resident_bytes(os.getpid())
    trim()
    assert resident_bytes(os.getpid()) < held - 30 * 2**20
    assert stays.sum() == 512
