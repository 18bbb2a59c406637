"""Stage 8: the version on disk, signed, with all that it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from millstream.domain.clock import as_datetime
from millstream.model.artifact import Files
from millstream.model.embeddings import ServingRule
from millstream.model.manifest import (
    SCHEMA_VERSION,
    DataWindow,
    Manifest,
    Occasion,
    Provenance,
    Quality,
)
from millstream.trainer.code_version import code_version
from millstream.trainer.collect import Window
from millstream.trainer.settings import TrainerSettings


class Beginning(NamedTuple):
    """When a training began, and why; `warm` as in Provenance."""

    at_ms: int
    occasion: Occasion
    warm: int = 0


def data_window(window: Window, settings: TrainerSettings, pairs: int) -> DataWindow:
    times = window.lines["log_ms"]
    return DataWindow(
        first_log_ms=int(times[0]) if len(times) else 0,
        last_log_ms=int(times[-1]) if len(times) else 0,
        offsets=window.offsets,
        lines=window.lines.height,
        counted_lines=window.count(settings.counted),
        pairs=pairs,
    )


def describer(
    settings: TrainerSettings,
    window: DataWindow,
    serving: ServingRule,
    quality: Quality,
    began: Beginning,
) -> Callable[[int, Files], Manifest]:
    """A function of the version's number and its files, which the registry knows."""
    provenance = Provenance(code_version(), settings.digest(), settings.seed, began.warm)

    def describe(version: int, files: Files) -> Manifest:
        return Manifest(
            schema_version=SCHEMA_VERSION,
            tenant=settings.tenant,
            model=settings.model_name,
            version=version,
            arrays=files.arrays,
            lists=files.lists,
            rule=serving,
            window=window,
            provenance=provenance,
            quality=quality,
            created_at=as_datetime(began.at_ms),
            index=files.index,
            occasion=began.occasion,
            network=files.network,
        )

    return describe
