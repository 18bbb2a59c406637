"""Inputs by chance from a seed: pieces of JSON put, cut, doubled and broken."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.fuzz.target import Tally, label_of, seeds

PIECES = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b" ", b"\n", b"\x00", b"\x7f", b"\xff"),
    *(
        b'"event_id":"e2",',
        b'"event_id" : "e2",',
        b"null",
        b"true",
        b"1e400",
        b"NaN",
        b"-0",
        b"0.0",
    ),
    *(b"9007199254740993", b"1" * 400, b"\\ud800", b"\\u0000", b"\xe2\x80\xae", b"e\xcc\x81"),
    *(b'"a":{', b"[[[[", b'":', b'" :', b'\\":', b"2026-09-21T14:13:20Z", b"9999-12-31T23:59:59Z"),
    *(b"1969-12-31T00:00:00Z", b"view_item", b"erase", b"x" * 300, b'{"k":1},' * 70),
    *(b'"review_id":"r2",', b'"rating":', b'"text":""', b"5.01"),
)


def mutated(rng: random.Random, start: Sequence[bytes]) -> Iterator[bytes]:
    """For ever; the same for the same seed."""
    while True:
        data = bytearray(rng.choice(start))
        for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
            _change(rng, data)
        yield bytes(data)


def _change(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    to = min(len(data), at + rng.choice((0, 1, 2, 8, 40)))
    how = rng.randrange(5)
    if how == 0:
        data[at:at] = rng.choice(PIECES)
    elif how == 1:
        del data[at:to]
    elif how == 2:
        data[at:to] = rng.choice(PIECES)
    elif how == 3:
        data[at:at] = data[at:to] * rng.choice((1, 2, 20))
    elif at < len(data):
        data[at] = rng.randrange(256)


def run(inputs: int, seed: int) -> Tally:
    """Raises what the target must not."""
    verdicts: Counter[str] = Counter()
    start = [data for data in seeds() if len(data) < 1_000]
    for _, data in zip(range(inputs), mutated(random.Random(seed), start), strict=False):
        verdicts[label_of(data)] += 1
    return Tally(verdicts, inputs)
