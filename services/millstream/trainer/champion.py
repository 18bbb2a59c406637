"""The version in service, against which a new one is judged."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from millstream.model.registry import LoadedModel
from millstream.model.scorer import Scorer
from millstream.trainer.drift import drift
from millstream.trainer.outlet import Outlet
from millstream.trainer.ways import Way


@dataclass(frozen=True, slots=True)
class Champion:
    """As Outlet.in_service tells it."""

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


async def champion_of(outlet: Outlet) -> Champion:
    return Champion(*await outlet.in_service(outlet.registry.load))
