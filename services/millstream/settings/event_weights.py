"""`view_item=1,purchase=10`: what events of a type say about interest, as an operator writes it."""

from __future__ import annotations

from collections.abc import Mapping

from millstream.domain.deriving import EVENT_WEIGHT
from millstream.domain.events import EventType

MOST = 1_000.0


def read_weights(said: object) -> object:
    """The usual weights with what is said; a type of weight 0 is left out. What is no text is
    returned as it is. Raises ValueError."""
    if not isinstance(said, str):
        return said
    weights = dict(EVENT_WEIGHT)
    for part in filter(None, (part.strip() for part in said.split(","))):
        name, _, number = part.partition("=")
        weights[_type(name.strip())] = _weight(number.strip())
    kept = {kind: weight for kind, weight in weights.items() if weight}
    if not kept:
        raise ValueError("a weight above 0 is expected of one type at least")
    return kept


def write_weights(weights: Mapping[EventType, float]) -> str:
    """As `read_weights` reads it; a type without a weight is written as 0."""
    return ",".join(f"{kind}={weights.get(kind, 0.0):g}" for kind in EVENT_WEIGHT)


def _type(name: str) -> EventType:
    for kind in EVENT_WEIGHT:
        if name == kind:
            return kind
    raise ValueError(f"{name!r}; expected type=weight, the types {', '.join(EVENT_WEIGHT)}")


def _weight(number: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= MOST:  # of nan this is true as well
        raise ValueError(f"weight {number!r}; expected is a number from 0 to {MOST:g}")
    return weight
