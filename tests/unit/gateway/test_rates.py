"""What one key may ask for in a second, by a clock that is stepped by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.gateway.rates import BURST_S, Rate


class Stepped:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_as_the_rate_says() -> None:
    clock = Stepped()
    rate = Rate(10, clock)
    assert [rate.take("k") for _ in range(11)] == [0] * 10 + [1]
    clock.now += 0.1
    assert [rate.take("k"), rate.take("k")] == [0, 1]
    assert rate.take("other") == 0, "one key's use is not another's"


def test_what_is_refused_costs_nothing_and_says_when_to_come_again() -> None:
    clock = Stepped()
    rate = Rate(10, clock)
    assert rate.take("k", 10) == 0
    assert rate.take("k", 10) == 1
    assert rate.take("k", 5) == 1
    clock.now += 1
    assert rate.take("k", 10) == 0


def test_what_did_not_fit_is_told_until_it_would() -> None:
    clock = Stepped()
    rate = Rate(10, clock)
    assert rate.wait("k") == 0
    rate.take("k", 10)
    assert rate.wait("k") == 0, "nothing was refused"
    assert rate.take("k", 10) == 1
    assert (rate.wait("k"), rate.wait("other")) == (1, 0)
    clock.now += 1
    assert (rate.wait("k"), rate.take("k", 10)) == (0, 0)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 8)), max_size=60))
def test_no_second_has_more_than_a_burst_and_the_rate(asked: list[tuple[float, int]]) -> None:
    clock, per_second = Stepped(), 10
    rate, taken = Rate(per_second, clock), []
    for step, n in asked:
        clock.now += step
        if rate.take("k", n) == 0:
            taken.append((clock.now, n))
    for begin, _ in taken:
        within = sum(n for when, n in taken if begin <= when < begin + 1)
        assert within <= per_second * (1 + BURST_S) + 1e-6
