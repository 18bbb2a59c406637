"""The ledger is added up where all slots stand together, and told per partition."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import REGISTRY

from millstream.domain.log import Partition
from millstream.recommender.conservation import Conservation
from millstream.stores.fences import LEDGER, Fences, PartitionFences


def fences(found: Mapping[Partition, PartitionFences]) -> Conservation:
    async def read(partitions: list[Partition]) -> Fences:
        return Fences(("0",), {tp: found[tp] for tp in partitions})

    return Conservation(read)


def partition(slots: tuple[int, ...], **ledger: int) -> PartitionFences:
    return PartitionFences(slots, starts=(2, 2), ledger={name: 0 for name in LEDGER} | ledger)


def shown(number: int) -> float | None:
    return REGISTRY.get_sample_value("millstream_conservation_residue", {"partition": str(number)})


async def test_every_fate_counts_and_what_is_uneven_is_passed_over() -> None:
    found = {
        ("t", 90): partition((12, 12), acc=4, dup=1, late=1, era=1, over=1, bad=1, hol=1),
        ("t", 91): partition((12, 12), acc=9),
        ("t", 92): partition((12, 11), acc=9),
    }
    conservation = fences(found)
    assert await conservation.check(found) == {("t", 90): 0, ("t", 91): -1}
    assert (shown(90), shown(91), shown(92)) == (0.0, -1.0, None)
    await conservation.check([("t", 90)])
    assert (shown(90), shown(91)) == (0.0, None), "another worker tells of 91 now"
    await conservation.check([])
    assert shown(90) is None
