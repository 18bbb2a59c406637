"""What a shop sends on a bad day: repeats, elsewhere too, late events, nonsense and farewells.

Pure: the same seed makes the same traffic. What it is worth is told by the oracle, from the log
alone; nothing here knows what will count."""

from __future__ import annotations

import json
import random
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from millstream.domain.clock import Clock

HOUR_MS = 3_600_000
MEMORY = 20_000
"""How many events back a repeat may reach."""


class Kind(StrEnum):
    FRESH = "fresh"
    REPEAT = "repeat"
    POISON = "poison"
    LATE = "late"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of all that is sent; the rest is fresh."""

    repeat: float = 0.10
    poison: float = 0.01
    late: float = 0.02
    erase: float = 0.0005
    elsewhere: float = 0.05
    """Of fresh events and repeats: on another partition than the shopper's own."""


@dataclass(frozen=True, slots=True)
class Shipment:
    kind: Kind
    event_id: str
    """Empty for poison."""
    partition: int
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Shop:
    """`leaving` shoppers ask to be forgotten now and then, and always stay on their partition:
    whether an event elsewhere came before or after a farewell no one can tell. The first shopper
    of `greedy` has more ids than are kept for one, and stays there for the same reason."""

    partitions: int
    shoppers: int = 48
    leaving: int = 12
    items: int = 400
    greedy: float = 0.0
    """The share of fresh events that one shopper sends."""


class Traffic:
    def __init__(self, seed: int, shop: Shop, mix: Mix, clock: Clock) -> None:
        self._rng = random.Random(seed)  # noqa: S311  a seed, not a secret
        self._shop = shop
        self._mix = mix
        self._clock = clock
        self._seed = seed
        self._number = 0
        self._sent: deque[Shipment] = deque(maxlen=MEMORY)
        self.partitions = shop.partitions
        """May grow: shoppers keep their home, and what goes elsewhere may go to the new ones."""

    def __iter__(self) -> Iterator[Shipment]:
        while True:
            yield self._next()

    def farewell(self) -> Shipment:
        """An erase of one of those who leave."""
        return self._made(Kind.ERASE, self._leaver())

    def _next(self) -> Shipment:
        chance = self._rng.random()
        for kind, share in (
            (Kind.REPEAT, self._mix.repeat),
            (Kind.POISON, self._mix.poison),
            (Kind.LATE, self._mix.late),
            (Kind.ERASE, self._mix.erase),
        ):
            if chance < share:
                return self._of(kind)
            chance -= share
        return self._of(Kind.FRESH)

    def _of(self, kind: Kind) -> Shipment:
        if kind is Kind.POISON:
            return self._poison()
        if kind is Kind.ERASE:
            return self.farewell()
        if kind is Kind.REPEAT and self._sent:
            return self._again(self._rng.choice(self._sent))
        return self._made(Kind.LATE if kind is Kind.LATE else Kind.FRESH, self._shopper())

    def _shopper(self) -> str:
        if self._rng.random() < self._shop.greedy:
            return "greedy"
        number = self._rng.randrange(self._shop.shoppers + self._shop.leaving)
        return f"u{number}" if number < self._shop.shoppers else self._leaver()

    def _leaver(self) -> str:
        return f"leaving{self._rng.randrange(self._shop.leaving)}"

    def _made(self, kind: Kind, shopper: str) -> Shipment:
        rng = self._rng
        self._number += 1
        event_id = f"{self._seed}-{self._number}"
        age = rng.choice((-1000, 0, 0, 500, 5000))
        if kind is Kind.LATE:
            age = rng.randrange(25, 72) * HOUR_MS
        body: dict[str, object] = {
            "event_id": event_id,
            "type": "erase",
            "time": written_at(self._clock() - age),
            "user_id": shopper,
        }
        if shopper[-1] in "37":
            body["tenant"] = "shop-2"
        if kind is not Kind.ERASE:
            body["type"], most = rng.choice(
                (("view_item", 1), ("view_item", 1), ("add_to_cart", 2), ("purchase", 3))
            )
            mark = "x" if shopper.startswith("leaving") else "i"
            names = [f"{mark}{rng.randrange(self._shop.items)}" for _ in range(most)]
            body["items"] = [{"item_id": name} for name in names]
        key = f"{body.get('tenant', 'default')}:{shopper}".encode()
        made = Shipment(kind, event_id, self._place(key), key, json.dumps(body).encode())
        self._sent.append(made)
        return made

    def _again(self, first: Shipment) -> Shipment:
        return Shipment(Kind.REPEAT, first.event_id, self._place(first.key), first.key, first.value)

    def _place(self, key: bytes) -> int:
        home = zlib.crc32(key) % self._shop.partitions
        stays = b":leaving" in key or b":greedy" in key
        if stays or self._rng.random() >= self._mix.elsewhere:
            return home
        return self._rng.randrange(self.partitions)

    def _poison(self) -> Shipment:
        value = self._rng.choice(POISONS)
        return Shipment(Kind.POISON, "", self._rng.randrange(self.partitions), b"poison", value)


def written_at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


_WHOLE = (
    '{"event_id":"p","type":"view_item","time":"%s","user_id":"u1","items":[{"item_id":"i1"}]%s}'
)
_NOW = "2026-01-01T00:00:00Z"

POISONS: tuple[bytes | None, ...] = (
    b"",
    None,
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"[" * 5000,
    b'{"a":' * 5000,
    b'{"event_id":"p","type":"view_item","time":NaN,"user_id":"u1"}',
    b'{"event_id":"p","type":"dance","time":"2026-01-01T00:00:00Z","user_id":"u1"}',
    (_WHOLE % (_NOW, ',"context":{"n":1e400}')).encode(),
    (_WHOLE % ("9999-12-31T23:59:59Z", "")).encode(),
    (_WHOLE % ("yesterday", "")).encode(),
    (_WHOLE % (_NOW, ',"query":"\\ud800"')).encode(),
    _WHOLE.replace('"u1"', '"a{b}"').__mod__((_NOW, "")).encode(),
    _WHOLE.replace('"i1"', "7").__mod__((_NOW, "")).encode(),
    (_WHOLE % (_NOW, ',"query":"' + "q" * 70_000 + '"')).encode(),
)
"""None of them is an event, by the wire's own rule; the oracle must come to the same."""
