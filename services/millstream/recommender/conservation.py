"""Beside the worker, once a minute: every offset that was taken has a fate in the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

import structlog

from millstream.domain.log import Partition
from millstream.recommender import telemetry
from millstream.stores.fences import Fences

CHECK_SECONDS = 60.0

ReadFences = Callable[[list[Partition]], Awaitable[Fences]]

_log = structlog.get_logger()


class Conservation:
    """accepted + duplicate + late + erased + over + bad + holes = offsets taken, per partition,
    whenever all slots stand at one offset; `millstream_conservation_residue` is the difference."""

    def __init__(self, read: ReadFences) -> None:
        self._read = read
        self._shown: set[int] = set()

    async def check(self, assigned: Collection[Partition]) -> dict[Partition, int]:
        """The residue of each partition whose slots stand together; 0 is right. Raises as
        stores.fences.read_fences does."""
        fences = await self._read(list(assigned))
        found = {}
        for tp, partition in fences.partitions.items():
            residue = partition.residue
            outcome = "uneven" if residue is None else "off" if residue else "balanced"
            telemetry.CONSERVATION_CHECKS.labels(outcome).inc()
            if residue is not None:
                found[tp] = residue
        self._show({tp[1]: residue for tp, residue in found.items()}, {tp[1] for tp in assigned})
        return found

    def _show(self, residues: dict[int, int], assigned: set[int]) -> None:
        for number in self._shown - assigned:  # it is another worker's to tell now
            telemetry.CONSERVATION_RESIDUE.remove(str(number))
        for number, residue in residues.items():
            telemetry.CONSERVATION_RESIDUE.labels(str(number)).set(residue)
            if residue:
                _log.error("the ledger does not add up", partition=number, residue=residue)
        self._shown = (self._shown & assigned) | residues.keys()
