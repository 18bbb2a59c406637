"""What the pipeline works with: everything in it that is not pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.clock import Clock, as_datetime
from millstream.model.registry import CurrentPointer, Registry
from millstream.trainer.announce import Producer
from millstream.trainer.encode import Interactions
from millstream.trainer.evaluate import WholeList
from millstream.trainer.fitting import Fit, Fitted
from millstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, slots=True)
class Tools:
    settings: TrainerSettings
    fit: Fit
    whole_list: WholeList
    hidden: Callable[[], Collection[str]]
    """Items that the shop does not show; asked once for each version."""
    registry: Registry
    key: Ed25519PrivateKey
    pointer: CurrentPointer
    producer: Producer
    clock: Clock
    stop: Callable[[], bool]
    """True once the process was told to end."""

    def fit_on(self, data: Interactions, name: str, started_ms: int) -> Fitted:
        """Blocks. The curves go to <tensorboard_dir>/<tenant>/<model>/<start>/<name>."""
        settings, logs = self.settings, self.settings.tensorboard_dir
        if logs is not None:
            start = f"{as_datetime(started_ms):%Y%m%dT%H%M%S}"
            logs = Path(logs, settings.tenant, settings.model_name, start, name)
        return self.fit(data, settings.training(), self.stop, logs)
