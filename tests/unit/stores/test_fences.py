"""What the fences of all slots say together; pure parts."""

from __future__ import annotations

import pytest

from millstream.domain.errors import Halt
from millstream.stores.fences import LEDGER, Fences, PartitionFences, field_of

NONE = dict.fromkeys(LEDGER, 0)


def test_a_field_names_its_epoch() -> None:
    assert field_of("2", "t.v1", 7) == "2:t.v1:7"


def test_slots_of_one_epoch_agree() -> None:
    assert Fences(("3", "3"), {}).epoch == "3"
    with pytest.raises(Halt, match=r"epochs \(1, 2\).*bump-epoch.*slots-behind.md"):
        _ = Fences(("2", "1", "2"), {}).epoch


def test_what_the_ledger_has_too_many_of() -> None:
    def residue(*fences: int, start: int = 0, **ledger: int) -> int | None:
        starts = (start,) * len(fences)
        return PartitionFences(fences, starts=starts, ledger=NONE | ledger).residue

    assert residue(10, 10, acc=6, dup=1, late=1, bad=1, hol=1) == 0
    assert residue(10, 10, acc=6, era=1, over=1) == -2
    assert residue(10, 10, acc=11) == 1
    assert residue(10, 10, start=4, acc=6) == 0
    assert residue(10, 9, acc=9) is None, "slots that differ have no sum"
