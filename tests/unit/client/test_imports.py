"""A storefront's process does not load the services' machinery."""

from __future__ import annotations

import subprocess
import sys

UNWANTED = {
    "cryptography",
    "faust",
    "keras",
    "numpy",
    "polars",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "redis",
    "rich",
    "tensorflow",
    "typer",
    "yaml",
}


def test_the_client_is_light() -> None:
    program = (
        "import sys, millstream.client; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"millstream", "aiokafka", "msgspec"} <= set(loaded)
    assert not UNWANTED & set(loaded)
