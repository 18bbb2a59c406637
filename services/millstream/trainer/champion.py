"""The version in service, against which a new one is judged."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import structlog

from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import LoadedModel
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity
from millstream.streaming.offload import offload
from millstream.trainer.drift import drift
from millstream.trainer.tools import Tools
from millstream.trainer.ways import Way

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Champion:
    """`number`: what the pointer names, None before the first promotion. `loaded`: None also where
    its files are refused; shoppers are not served from it then either."""

    number: int | None
    loaded: LoadedModel | None

    @property
    def served(self) -> tuple[str, Scorer] | None:
        """Its name and what answers for it."""
        return None if self.loaded is None else (f"v{self.number}", self.loaded.scorer)

    @property
    def way(self) -> Way | None:
        if self.loaded is None:
            return None
        told = self.loaded.manifest
        return Way(told.network, told.rule)

    @property
    def last_log_ms(self) -> int | None:
        return None if self.loaded is None else self.loaded.manifest.window.last_log_ms

    def seen_until_ms(self, lines: pl.DataFrame) -> int | None:
        """The latest event time among `lines` (n, >= 7) that it was trained on; None where it has
        seen none of them. In event time, which in a replay is not that of the log."""
        if self.last_log_ms is None:
            return None
        seen = lines.filter(pl.col("log_ms") <= self.last_log_ms)["time_ms"]
        return int(seen[seen.arg_max() or 0]) if len(seen) else None

    def drift(self, lines: pl.DataFrame, recent_items: int) -> dict[str, float]:
        """See drift.drift; nothing where none is in service. Blocks for a second."""
        if self.loaded is None:
            return {}
        window = self.loaded.manifest.window
        return drift(lines, window.last_log_ms, self.loaded.scorer, recent_items)


async def champion_of(tools: Tools) -> Champion:
    settings = tools.settings
    current = await tools.pointer.read(settings.tenant, settings.model_name)
    if current is None:
        return Champion(None, None)
    wanted = Identity(settings.tenant, settings.model_name, *current)
    try:
        loaded = await offload(lambda: tools.registry.load(tools.key.public_key(), wanted))
    except ArtifactRefused as refused:
        _log.warning("the version in service is refused", version=current[0], why=refused.reason)
        return Champion(current[0], None)
    return Champion(current[0], loaded)
