"""One seed's training and answers, and the journal that keeps it for a later call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import msgspec
import numpy as np

from millstream.domain.errors import OperatorError
from millstream.model.sessions.ragged import Ints
from millstream.trainer.code_version import code_version
from millstream.trainer.sessions.fit import CurvePoint

Ranks = dict[str, Ints]
"""By part, and of the blend: (test rows,)."""
_FACTS = "facts"


class Facts(msgspec.Struct, frozen=True):
    """`made_from`: the digest of data, settings and code. `cpu_minutes`: from files to fitted
    sources, all threads; the dot-product baseline and scoring the test are not in it."""

    made_from: str
    seed: int
    cpu_minutes: float
    peak_gib: float
    losses: tuple[float, ...]
    curve: tuple[CurvePoint, ...]


class Run(msgspec.Struct, frozen=True):
    facts: Facts
    ranks: Ranks


def digest(files: list[Path], settings: object) -> str:
    """Of what decides a run's figures, the code included and its seed apart. Raises OperatorError
    for a missing file."""
    found = hashlib.sha256(f"{code_version()} {settings!r}".encode())
    for path in files:
        try:
            found.update(path.read_bytes())
        except OSError as error:
            raise OperatorError(
                f"the data file {path.name}", f"{path} ({error})", "a gzip file", "See --data"
            ) from None
    return found.hexdigest()


class Journal:
    """A folder with a file per seed. A run is there as a whole or not at all."""

    def __init__(self, directory: Path, made_from: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._made_from = directory, made_from

    def read(self, seed: int) -> Run | None:
        """Raises OperatorError for a run from other data, settings or code."""
        path = self._path(seed)
        if not path.exists():
            return None
        with _readable(path), path.open("rb") as file, np.load(file) as kept:
            facts = msgspec.json.decode(kept[_FACTS].tobytes(), type=Facts)
            ranks = {name: kept[name] for name in kept.files if name != _FACTS}
        if facts.made_from != self._made_from:
            raise OperatorError(
                "the journal",
                f"{path}, made from other data, settings or code",
                "runs of these",
                "Give another --journal",
            )
        return Run(facts, ranks)

    def write(self, run: Run) -> None:
        path = self._path(run.facts.seed)
        partial = path.with_suffix(".partial.npz")
        facts = np.frombuffer(msgspec.json.encode(run.facts), dtype=np.uint8)
        arrays: dict[str, Any] = {_FACTS: facts, **run.ranks}
        np.savez_compressed(partial, **arrays)
        partial.rename(path)

    def _path(self, seed: int) -> Path:
        return self._directory / f"seed-{seed}.npz"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, BadZipFile, msgspec.MsgspecError) as error:
        raise OperatorError(
            "the journal", f"{path} ({error})", "a run as it was written", "Remove the file"
        ) from None
