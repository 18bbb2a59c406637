"""How the fields of a shopper's state lie in its bytes (features/writes.py says what they hold)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Any

from millstream.domain.events import TYPE_ORDER
from millstream.features.recent_items import Touch
from millstream.features.writes import UserFeature, Write

Names = Mapping[int, str]
"""Item number -> item id."""

TOUCH = Struct(">II")
MAX_SECONDS = 2**32 - 1
_COUNT_BYTES = 3
_TIMES = Struct(">II")


class Layout:
    def __init__(self, features: Sequence[UserFeature[Any]]) -> None:
        self._features = features
        self.sizes = [_size_of(feature) for feature in features]
        """In bytes, by place; None for a RECENT."""
        self._gaps = [self._gaps_before(place) for place in range(len(features))]

    def read(self, packed: bytes, place: int, names: Names) -> Any:
        """The field at `place`, as UserFeature.read takes it. A state that an older release wrote
        may end before it: then as if nothing was written to it. A touch of an item that `names`
        lacks is passed over."""
        at = self._start(packed, place)
        size = self.sizes[place]
        if size is None:
            return _touches(TOUCH.iter_unpack(self.touches(packed, place)), names)
        return unpack(self._features[place], packed[at : at + size].ljust(size, b"\0"))

    def touches(self, packed: bytes, place: int) -> bytes:
        """Of the RECENT at `place` what `read` makes objects of: each as TOUCH, newest first."""
        at = self._start(packed, place)
        return packed[at + 1 : at + 1 + TOUCH.size * packed[at]] if at < len(packed) else b""

    def _start(self, packed: bytes, place: int) -> int:
        gaps, last = self._gaps[place]
        at = 0
        for gap in gaps:
            at += gap
            at += 1 + TOUCH.size * packed[at] if at < len(packed) else 0
        return at + last

    def _gaps_before(self, place: int) -> tuple[list[int], int]:
        """The bytes of fixed size before each RECENT that comes before `place`, and those between
        the last one and `place`."""
        gaps = [0]
        for size in self.sizes[:place]:
            if size is None:
                gaps.append(0)
            else:
                gaps[-1] += size
        return gaps[:-1], gaps[-1]


def pack(feature: UserFeature[Any], field: Sequence[Any]) -> bytes:
    """A field of fixed size as a list of its numbers, or RECENT as a list of (head, seconds)."""
    match feature.write:
        case Write.COUNT | Write.TALLY:
            return _counts(field)
        case Write.SPAN:
            return _TIMES.pack(*field[:2]) + _counts(field[2:])
        case Write.DECAY:
            return Struct(f">I{len(feature.args)}f").pack(*field)
        case Write.RECENT:
            return bytes([len(field)]) + b"".join(TOUCH.pack(*row) for row in field)


def unpack(feature: UserFeature[Any], packed: bytes) -> Any:
    """Of a field of fixed size the numbers; of a COUNT the number."""
    match feature.write:
        case Write.COUNT:
            return int.from_bytes(packed, "big")
        case Write.SPAN:
            return (*_TIMES.unpack_from(packed), int.from_bytes(packed[_TIMES.size :], "big"))
        case Write.DECAY:
            return Struct(f">I{len(feature.args)}f").unpack(packed)
        case _:
            ends = range(0, len(packed), _COUNT_BYTES)
            return tuple(int.from_bytes(packed[at : at + _COUNT_BYTES], "big") for at in ends)


def _size_of(feature: UserFeature[Any]) -> int | None:
    """None for RECENT."""
    sizes = {
        Write.COUNT: _COUNT_BYTES,
        Write.TALLY: _COUNT_BYTES * len(TYPE_ORDER),
        Write.SPAN: _TIMES.size + _COUNT_BYTES,
        Write.DECAY: 4 + 4 * len(feature.args),
    }
    return sizes.get(feature.write)


def _counts(numbers: Sequence[int]) -> bytes:
    return b"".join(n.to_bytes(_COUNT_BYTES, "big") for n in numbers)


def _touches(found: Iterable[tuple[int, int]], names: Names) -> tuple[Touch, ...]:
    return tuple(
        Touch(names[head >> 4], TYPE_ORDER[head & 15], seconds * 1000)
        for head, seconds in found
        if head >> 4 in names
    )
