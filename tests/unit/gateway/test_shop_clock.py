"""What time it is in a shop whose recording is replayed."""

from __future__ import annotations

from millstream.gateway.shop_clock import ReplayClock


def test_it_is_the_time_of_the_newest_record_and_goes_on_from_there() -> None:
    wall = [1_000_000]
    clock = ReplayClock(lambda: wall[0])
    assert clock() == 1_000_000, "before anything was seen: now"
    before = clock.has_begun
    clock.saw(500)
    assert (before, clock.has_begun) == (False, True)
    assert clock() == 500
    wall[0] += 40
    assert clock() == 540
    clock.saw(400)
    assert clock() == 540, "an older record of another partition turns nothing back"
    clock.saw(9_000)
    assert clock() == 9_000
    wall[0] -= 10
    assert clock() == 9_000, "nor does a wall clock that is set back"
