"""How the fields of a shopper's state lie in its bytes (features/writes.py says what they hold)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any

from millstream.domain.events import TYPE_ORDER
from millstream.features.recent_items import Touch
from millstream.features.writes import UserFeature, Write

Names = Mapping[int, str]
"""Item number -> item id."""

TOUCH = Struct(">II")
MAX_SECONDS = 2**32 - 1


class Layout:
    def __init__(self, features: Sequence[UserFeature[Any]]) -> None:
        self._features = features
        self.forms = [_form_of(feature) for feature in features]
        self._gaps = [self._gaps_before(place) for place in range(len(features))]

    def read(self, packed: bytes, place: int, names: Names) -> Any:
        """The field at `place`, as UserFeature.read takes it. A state that an older release wrote
        may end before it: then as if nothing was written to it. A touch of an item that `names`
        lacks is passed over."""
        *gaps, last = self._gaps[place]
        at = 0
        for gap in gaps:
            at += gap
            at += 1 + TOUCH.size * packed[at] if at < len(packed) else 0
        at += last
        form = self.forms[place]
        if form is None:
            end = at + 1 + TOUCH.size * packed[at] if at < len(packed) else 0
            return _touches(packed[at + 1 : end], names)
        values = form.unpack(packed[at : at + form.size].ljust(form.size, b"\0"))
        return values[0] if self._features[place].write is Write.COUNT else values

    def _gaps_before(self, place: int) -> list[int]:
        """The bytes of fixed size before each RECENT that comes before `place`, then those between
        the last one and `place`."""
        gaps = [0]
        for form in self.forms[:place]:
            if form is None:
                gaps.append(0)
            else:
                gaps[-1] += form.size
        return gaps


def _form_of(feature: UserFeature[Any]) -> Struct | None:
    """Of a field of fixed size."""
    match feature.write:
        case Write.COUNT:
            return Struct(">I")
        case Write.TALLY:
            return Struct(f">{len(TYPE_ORDER)}I")
        case Write.SPAN:
            return Struct(">3I")
        case Write.DECAY:
            return Struct(f">I{len(feature.args)}f")
        case Write.RECENT:
            return None


def _touches(packed: bytes, names: Names) -> tuple[Touch, ...]:
    return tuple(
        Touch(names[head >> 4], TYPE_ORDER[head & 15], seconds * 1000)
        for head, seconds in TOUCH.iter_unpack(packed)
        if head >> 4 in names
    )
