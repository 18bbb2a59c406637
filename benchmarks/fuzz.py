"""The decoders under any bytes: by atheris, by hypothesis and by seeded mutations."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from rich.console import Console

from millstream.domain.errors import OperatorError

ROOT = Path(__file__).parents[1]
SHARES = {"atheris": 0.6, "mutations": 0.38}
"""Of the inputs; hypothesis, which is the slowest by far, has the rest."""


def main(inputs: int, seed: int, console: Console) -> dict[str, Any]:
    """`crashes`: engines that met an input which is neither an event, a review nor a dead letter;
    its report goes to standard error. Raises OperatorError without atheris."""
    if importlib.util.find_spec("atheris") is None:
        raise OperatorError(
            "the package atheris", "none", "the development dependencies", "Run `make test` once"
        )
    shares = {name: round(share * inputs) for name, share in SHARES.items()}
    shares["hypothesis"] = inputs - sum(shares.values())
    engines, verdicts, began = {}, Counter[str](), time.monotonic()
    for name, share in shares.items():
        console.print(f"{name}: {share:,} inputs ...")
        at = time.monotonic()
        found = _atheris(share, seed) if name == "atheris" else _in_process(name, share, seed)
        verdicts.update(found)
        ran = sum(found.values())
        engines[name] = {"inputs": ran, "seconds": round(time.monotonic() - at, 1)}
    accepted, reviews = verdicts.pop("accepted", 0), verdicts.pop("review accepted", 0)
    return {
        "inputs": accepted + reviews + verdicts.total(),
        "seconds": round(time.monotonic() - began, 1),
        "accepted": accepted,
        "reviews_accepted": reviews,
        "refusals_by_reason": dict(verdicts.most_common()),
        "crashes": sum(engine["inputs"] == 0 for engine in engines.values()),
        "engines": engines,
        "seed": seed,
        "machine": machine(),
    }


def _atheris(inputs: int, seed: int) -> Counter[str]:
    """Empty where it met a crash."""
    words = [sys.executable, "-m", "tests.fuzz.under_atheris", str(inputs), str(seed)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.stderr.write(ended.stderr[-4_000:])
        return Counter()
    return Counter(json.loads(ended.stdout.splitlines()[-1])["verdicts"])


def _in_process(name: str, inputs: int, seed: int) -> Counter[str]:
    """Empty where it met a crash."""
    module = {"mutations": "mutations", "hypothesis": "properties"}[name]
    try:
        found: Counter[str] = (
            importlib.import_module(f"tests.fuzz.{module}").run(inputs, seed).verdicts
        )
    except Exception as crash:  # noqa: BLE001  whatever it is, it is what we look for
        sys.stderr.write(f"{type(crash).__name__}: {crash}\n{getattr(crash, '__notes__', '')}\n")
        return Counter()
    return found
