"""How the fields of a shopper's state lie in its bytes (features/writes.py says what they hold)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Any

from millstream.domain.events import TYPE_ORDER
from millstream.features.recent_items import Touch
from millstream.features.sign_ins import SignIn
from millstream.features.writes import UserFeature, Write

Names = Mapping[int, str]
"""Item number -> item id."""

TOUCH = Struct(">II")
MAX_SECONDS = 2**32 - 1
_COUNT_BYTES = 3
_TIMES = Struct(">II")
_LINK = Struct(">IH")
_LISTS = (Write.RECENT, Write.LINKS)


class Layout:
    def __init__(self, features: Sequence[UserFeature[Any]]) -> None:
        self._features = features
        self.sizes = [_size_of(feature) for feature in features]
        """In bytes, by place; None for a RECENT and for LINKS."""
        self._gaps = [self._gaps_before(place) for place in range(len(features))]

    def read(self, packed: bytes, place: int, names: Names) -> Any:
        """The field at `place`, as UserFeature.read takes it. A state that an older release wrote
        may end before it: then as if nothing was written to it. A touch of an item that `names`
        lacks is passed over."""
        size = self.sizes[place]
        if self._features[place].write is Write.LINKS:
            return tuple(_sign_ins(self.cells(packed, place)))
        if size is None:
            return _touches(TOUCH.iter_unpack(self.cells(packed, place)), names)
        at = self._start(packed, place)
        return unpack(self._features[place], packed[at : at + size].ljust(size, b"\0"))

    def cells(self, packed: bytes, place: int) -> bytes:
        """Of the RECENT or LINKS at `place` what `read` makes objects of, newest first; of a RECENT
        each as TOUCH."""
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
        """The bytes of fixed size before each RECENT or LINKS that comes before `place`, and those
        between the last one and `place`."""
        gaps = [0]
        for size in self.sizes[:place]:
            if size is None:
                gaps.append(0)
            else:
                gaps[-1] += size
        return gaps[:-1], gaps[-1]


def pack_all(features: Sequence[UserFeature[Any]], fields: Sequence[Sequence[Any]]) -> bytes:
    """A whole state, each field as `pack` takes it."""
    packed = b"".join(map(pack, features, fields))
    is_left_out = features[-1].write in _LISTS and not fields[-1]
    return packed[:-1] if is_left_out else packed


def pack(feature: UserFeature[Any], field: Sequence[Any]) -> bytes:
    """A field of fixed size as a list of its numbers, RECENT as one of (head, seconds), LINKS as
    one of (anonymous id, seconds)."""
    match feature.write:
        case Write.COUNT | Write.TALLY:
            return _counts(field)
        case Write.SPAN:
            return _TIMES.pack(*field[:2]) + _counts(field[2:])
        case Write.DECAY:
            return Struct(f">I{len(feature.args)}f").pack(*field)
        case Write.RECENT:
            return bytes([len(field)]) + b"".join(TOUCH.pack(*row) for row in field)
        case Write.LINKS:
            cells = b"".join(_link(name.encode(), seconds) for name, seconds in field)
            return bytes([len(cells) // TOUCH.size]) + cells


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
    """None for RECENT and LINKS."""
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


def _link(name: bytes, seconds: int) -> bytes:
    size = _LINK.size + len(name)
    return (_LINK.pack(seconds, len(name)) + name).ljust(size + -size % TOUCH.size, b"\0")


def _sign_ins(cells: bytes) -> Iterator[SignIn]:
    at = 0
    while at < len(cells):
        seconds, n = _LINK.unpack_from(cells, at)
        end = at + _LINK.size + n
        yield SignIn(cells[end - n : end].decode(), seconds * 1000)
        at = end + (at - end) % TOUCH.size
