"""What buyers write on a bad day: sent again, changed and sent again, and nonsense.

Pure, as traffic.py; the oracle tells from the log alone what it is worth."""

from __future__ import annotations

import json
import random
from dataclasses import replace

from millstream.domain.clock import Clock
from millstream.local.chaos.reviews.model import BAD, GOOD
from millstream.local.chaos.traffic import Kind, Mix, Shipment, Shop, Traffic, written_at

MIX = Mix(repeat=0.2, poison=0.02, late=0.0, erase=0.0, elsewhere=0.0)
ITEMS = 40
CHANGED = 0.5
"""The share of repeats whose words are others by then."""


class ReviewTraffic(Traffic):
    def __init__(self, seed: int, shop: Shop, clock: Clock) -> None:
        super().__init__(seed, shop, MIX, clock)

    def _made(self, kind: Kind, shopper: str) -> Shipment:
        self._number += 1
        review_id, item = f"{self._seed}-{self._number}", f"i{self._rng.randrange(ITEMS)}"
        body = {
            "review_id": review_id,
            "item_id": item,
            "user_id": shopper,
            "time": written_at(self._clock()),
            "text": _words(self._rng),
        }
        if shopper[-1] in "37":
            body["tenant"] = "shop-2"
        key = f"{body.get('tenant', 'default')}:{shopper}".encode()
        made = Shipment(kind, review_id, self._place(key), key, json.dumps(body).encode())
        self._sent.append(made)
        return made

    def _again(self, first: Shipment) -> Shipment:
        again = super()._again(first)
        if self._rng.random() >= CHANGED:
            return again
        body = {**json.loads(first.value or b""), "text": _words(self._rng)}
        return replace(again, value=json.dumps(body).encode())

    def _poison(self) -> Shipment:
        return replace(super()._poison(), value=self._rng.choice(POISONS))


def _words(rng: random.Random) -> str:
    return f"{rng.choice((GOOD, BAD))} {rng.choice((GOOD, BAD, 'so so'))}"


_WHOLE = '{"review_id":"p","item_id":"i1","time":"%s","user_id":"u1","text":"great"%s}'
_NOW = "2026-01-01T00:00:00Z"

POISONS: tuple[bytes | None, ...] = (
    b"",
    None,
    b"{",
    b"[]",
    b"\xff\xfe\x00",
    b"[" * 5000,
    (_WHOLE % (_NOW, ',"rating":9')).encode(),
    (_WHOLE % (_NOW, ',"title":7')).encode(),
    (_WHOLE % ("9999-12-31T23:59:59Z", "")).encode(),
    (_WHOLE % ("yesterday", "")).encode(),
    (_WHOLE % (_NOW, "")).replace('"u1"', '"a{b}"').encode(),
    (_WHOLE % (_NOW, "")).replace('"i1"', "7").encode(),
    (_WHOLE % (_NOW, "")).replace('"great"', '"  "').encode(),
    (_WHOLE % (_NOW, "")).replace('"user_id"', '"nobody"').encode(),
)
"""None of them is a review, by the wire's own rule; the oracle must come to the same."""
