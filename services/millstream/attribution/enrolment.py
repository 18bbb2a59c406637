"""Which shoppers are in which experiment, and what they do within a day of their first list in it.

Sums by variant and quarter of a day (experiments/outcomes.py); a shopper adds to those of the time
when they came, so that it is known which can't change any more. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct

from millstream.domain.experiments import MOST_DAYS, experiment_of
from millstream.domain.identity import ShopperName
from millstream.experiments.outcomes import WINDOW_MS, cohort_of

FORGOTTEN_MS = (MOST_DAYS + 7) * 24 * 3600 * 1000
"""By then an experiment that a shopper came into is over."""

Cohort = tuple[str, str, str]
"""Label, time at which it begins in ms, and one of experiments/outcomes.NAMES."""
OfExperiment = tuple[str, str]
"""Tenant and experiment."""


class Made(NamedTuple):
    """A list: what stands on it, and when."""

    label: str
    log_ms: int


class Enrolment(Struct, array_like=True):
    """`seen`, `hit`: places of the variant's lists, made since the shopper came."""

    label: str
    came_ms: int
    clicked: bool = False
    bought: bool = False
    seen: int = 0
    hit: int = 0

    def has(self, made: Made) -> bool:
        """A list that was made another way, as where a version was missing, is not the variant's:
        none of them counts, in no variant."""
        return self.label == made.label and self.came_ms <= made.log_ms


_decode = msgspec.msgpack.Decoder(list[Enrolment]).decode
_encode = msgspec.msgpack.Encoder().encode


class Enrolments:
    """For one portion of a partition. `known`: what is held of each shopper that it names."""

    def __init__(self, known: Mapping[ShopperName, bytes | None]) -> None:
        self._held = {
            name: [] if packed is None else _decode(packed) for name, packed in known.items()
        }
        self._changed: set[ShopperName] = set()
        self.counts: dict[OfExperiment, Counter[Cohort]] = defaultdict(Counter)

    def changed(self) -> Iterator[tuple[ShopperName, bytes | None]]:
        """What is to be held from now on, where it is not what was; None of whom nothing is."""
        for name in self._changed:
            held = self._held[name]
            yield name, _encode(held) if held else None

    def forget(self, name: ShopperName) -> None:
        """Sums stay."""
        if self._held[name]:
            self._held[name] = []
            self._changed.add(name)

    def listed(self, name: ShopperName, label: str, log_ms: int) -> None:
        """A list was made. The first of an experiment settles when the shopper came into it, and
        as what."""
        experiment = experiment_of(label)
        held = self._held[name]
        if experiment is None or any(experiment_of(one.label) == experiment for one in held):
            return
        came = Enrolment(label, log_ms)
        young = [one for one in held if one.came_ms > log_ms - FORGOTTEN_MS]
        self._held[name] = [came, *young]
        self._add(name, came, shoppers=1)

    def bought(self, name: ShopperName, log_ms: int) -> None:
        """Anything at all."""
        for one in self._within(name, log_ms):
            if not one.bought:
                one.bought = True
                self._add(name, one, bought=1)

    def clicked(self, name: ShopperName, made: Made, log_ms: int) -> None:
        """A place of a list."""
        for one in self._within(name, log_ms):
            if not one.clicked and one.has(made):
                one.clicked = True
                self._add(name, one, clicked=1)

    def saw(self, name: ShopperName, made: Made, log_ms: int) -> None:
        for one in self._within(name, log_ms):
            if one.has(made):
                self._add(
                    name,
                    one,
                    saw=int(one.seen == 0),
                    seen=1,
                    seen_seen=2 * one.seen + 1,
                    seen_hit=one.hit,
                )
                one.seen += 1

    def hit(self, name: ShopperName, made: Made, log_ms: int) -> None:
        """Clicked as well as seen."""
        for one in self._within(name, log_ms):
            if one.has(made):
                self._add(name, one, hit=1, hit_hit=2 * one.hit + 1, seen_hit=one.seen)
                one.hit += 1

    def _within(self, name: ShopperName, log_ms: int) -> Iterator[Enrolment]:
        """The event that the first list answers was before it, though it has its time."""
        for one in self._held[name]:
            if one.came_ms < log_ms < one.came_ms + WINDOW_MS:
                yield one

    def _add(self, name: ShopperName, one: Enrolment, **sums: int) -> None:
        self._changed.add(name)
        of = (name[0], one.label.partition(":")[0])
        cohort = str(cohort_of(one.came_ms))
        self.counts[of].update({(one.label, cohort, what): n for what, n in sums.items() if n})
