"""How much random input a run tries: a fifth of what HYPOTHESIS_PROFILE=thorough does, for which CI
on a slow machine has no time."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

THOROUGH, QUICK = "thorough", "quick"
SHARE = 5


def load_profile() -> None:
    """Of hypothesis, for all tests that do not say otherwise."""
    slow = [HealthCheck.too_slow]  # of the machine, not of the strategy
    settings.register_profile(THOROUGH, deadline=None, max_examples=100, suppress_health_check=slow)
    settings.register_profile(
        QUICK, deadline=None, max_examples=tries(100), suppress_health_check=slow
    )
    settings.load_profile(_profile())


def tries(thorough: int) -> int:
    """What a run takes of examples, seeds or inputs, of which a thorough one takes so many."""
    return thorough if _profile() == THOROUGH else max(1, thorough // SHARE)


def _profile() -> str:
    return os.environ.get("HYPOTHESIS_PROFILE", QUICK)
