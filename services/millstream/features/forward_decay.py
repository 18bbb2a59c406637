"""Sums that fade with time and can be added up in any order.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu, ICDE 2009): an event at time t weighs
w * 2^(t / half-life) against a fixed landmark; nothing has to be faded later. The weights
outgrow a double within years, so their base-2 logarithm is kept."""

import math


def log_weight(weight: float, time_ms: int, half_life_ms: int) -> float:
    """log2(w * 2^(t / half-life)) with the epoch as landmark; `weight` > 0."""
    return math.log2(weight) + time_ms / half_life_ms


def log_add(a: float, b: float) -> float:
    """log2(2^a + 2^b) without overflow."""
    high, low = (a, b) if a >= b else (b, a)
    return high + math.log2(1.0 + 2.0 ** (low - high))
