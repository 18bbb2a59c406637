"""Stage 8: the version on disk, signed, with all that it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version as installed_version

from millstream.domain.clock import as_datetime
from millstream.model.artifact import Files
from millstream.model.embeddings import ServingRule
from millstream.model.manifest import SCHEMA_VERSION, DataWindow, Manifest, Provenance, Quality
from millstream.trainer.collect import Window
from millstream.trainer.settings import TrainerSettings


def data_window(window: Window, settings: TrainerSettings, pairs: int) -> DataWindow:
    times = window.lines["log_ms"]
    return DataWindow(
        first_log_ms=int(times[0]) if len(times) else 0,
        last_log_ms=int(times[-1]) if len(times) else 0,
        offsets=window.offsets,
        lines=window.lines.height,
        counted_lines=window.count(settings.counted_types),
        pairs=pairs,
    )


def describer(
    settings: TrainerSettings,
    window: DataWindow,
    serving: ServingRule,
    quality: Quality,
    created_ms: int,
) -> Callable[[int, Files], Manifest]:
    """A function of the version's number and its files, which the registry knows."""

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
            provenance=Provenance(
                installed_version("millstream"), settings.digest(), settings.seed
            ),
            quality=quality,
            created_at=as_datetime(created_ms),
            index=files.index,
        )

    return describe
