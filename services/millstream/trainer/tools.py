"""What the pipeline works with: everything in it that is not pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import Clock, as_datetime
from millstream.domain.models import Network
from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fit, Fitted, Stop
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.outlet import Outlet
from millstream.trainer.progress import Progress
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.whole_list import WholeLists


@dataclass(frozen=True, slots=True)
class Tools:
    settings: TrainerSettings
    fit: Fit
    whole_lists: WholeLists
    hidden: Callable[[], Collection[str]]
    """Items that the shop does not show; asked once for each version."""
    outlet: Outlet
    clock: Clock
    stop: Stop
    catalogue: Callable[[], Mapping[str, CatalogueItem]] = dict
    """What the shop sells now; an item may be missing from it."""
    named: Callable[[], Collection[int] | None] = tuple
    """Versions that a running experiment names: they stay in the store. None: not known."""
    gate: GateRule = field(default_factory=GateRule)
    progress: Progress = field(default_factory=Progress)

    def fit_on(self, data: Interactions, network: Network, name: str, started_ms: int) -> Fitted:
        """Blocks. The curves go to <tensorboard_dir>/<tenant>/<model>/<start>/<name>-<network>."""
        settings, logs = self.settings, self.settings.tensorboard_dir
        if logs is not None:
            start = f"{as_datetime(started_ms):%Y%m%dT%H%M%S}"
            logs = Path(logs, settings.tenant, settings.model_name, start, f"{name}-{network}")
        rule = settings.training if data.start is None else settings.warm_training
        return self.fit(data, rule(network), self.progress.watch(self.stop), logs)
