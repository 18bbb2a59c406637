"""What a test needs of the machine and can't bring along: Java, Redis, a browser."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

VARIABLE = "MILLSTREAM_REQUIRE_LIVE"


def not_here(reason: str) -> NoReturn:
    """Skips the test and tells why; fails it where every test must run, as in CI."""
    if os.environ.get(VARIABLE) == "1":
        pytest.fail(f"{VARIABLE}=1, but {reason}", pytrace=False)
    pytest.skip(reason)
