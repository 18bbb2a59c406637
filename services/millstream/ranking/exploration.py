"""One place of a list for an item of which little is known: lists that are learnt from would else
narrow to what they showed before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from millstream.domain.lists import RankedItem, Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Context
from millstream.ranking.items import NOTHING, Codes, Mask
from millstream.ranking.policy.pinned import may_stand
from millstream.ranking.policy.rule import Lines
from millstream.ranking.score import Scored
from millstream.ranking.shop import Shopper

UNSURE = frozenset({Source.NEW, Source.EMBEDDING})
"""Nobody's actions speak for an item whose score is mostly from these."""


class Tried(NamedTuple):
    """`columns` as policy.Kept has them; `picks` (n,) the column of `scored` that each line tries
    out, or NOTHING; `propensities` (n,) the chance that it was this one."""

    columns: Codes
    picks: Codes
    propensities: Sequence[float]


def try_out(
    columns: Codes, scored: Scored, sources: Sequence[Source], batch: Batch, context: Context
) -> Tried:
    """At `explore_place`, or behind a list that is shorter, one of the items of UNSURE sources that
    may be sold to the shopper and are not in the list, each as likely as the other. The same state
    of a shopper tries the same item, so that a list made twice is the same."""
    settings, nothing = context.settings, np.full(len(columns), NOTHING, dtype=np.int64)
    if not settings.explore_place or not scored.items.shape[1]:
        return Tried(columns, nothing, ())
    free = _unsure(scored, sources, batch, context)
    lines, places = np.nonzero(columns != NOTHING)
    free[lines, columns[lines, places]] = False
    counts = free.sum(axis=1)
    nth = np.array([_draw(shopper) for shopper in batch.shoppers], dtype=np.uint64)
    nth = (nth % np.maximum(counts, 1).astype(np.uint64)).astype(np.int64)
    reached = free & (free.cumsum(axis=1) == nth[:, None] + 1)
    picks = np.where(counts > 0, reached.argmax(axis=1), nothing)
    chances = (1.0 / np.maximum(counts, 1)).tolist()
    return Tried(_insert(columns, picks, settings.explore_place - 1), picks, chances)


def name_trials(
    lists: list[tuple[RankedItem, ...]], columns: Codes, tried: Tried
) -> list[tuple[RankedItem, ...]]:
    """The lists of `columns`, with what is tried out marked; the very same where nothing is."""
    if not tried.propensities:  # nothing was looked for
        return lists
    lines, places = np.nonzero((columns == tried.picks[:, None]) & (columns != NOTHING))
    for line, place in zip(lines.tolist(), places.tolist(), strict=True):
        items = list(lists[line])
        items[place] = _marked(items[place], tried.propensities[line])
        lists[line] = tuple(items)
    return lists


def _marked(item: RankedItem, propensity: float) -> RankedItem:
    reason = f"tried out: {item.reason}"
    return RankedItem(item.item_id, item.score, Source.EXPLORE, reason, round(propensity, 6))


def _unsure(scored: Scored, sources: Sequence[Source], batch: Batch, context: Context) -> Mask:
    everyone = np.arange(len(batch), dtype=np.int64)
    facts = batch.table.facts(scored.items, context.shop)
    state = (batch, context.shop, facts, context.settings, context.rules)
    which = np.searchsorted(scored.starts, scored.leads, side="right") - 1
    unsure = [place for place, source in enumerate(sources) if source in UNSURE]
    free: Mask = may_stand(Lines(scored.items, everyone, *state)) & np.isin(which, unsure)
    return free


def _draw(shopper: Shopper) -> int:
    newest = shopper.recent[0].time_ms if shopper.recent else 0
    drawn = hashlib.blake2b(f"{shopper.tenant}\n{shopper.name}\n{newest}".encode(), digest_size=8)
    return int.from_bytes(drawn.digest())


def _insert(columns: Codes, picks: Codes, place: int) -> Codes:
    """What stood there and behind moves on by one, the last item out of a full list."""
    length = columns.shape[1]
    at = np.minimum(np.minimum((columns != NOTHING).sum(axis=1), place), length - 1)[:, None]
    steps = np.arange(length)
    moved = np.where(steps < at, columns, np.roll(columns, 1, axis=1))
    inserted = np.where(steps == at, picks[:, None], moved)
    found: Codes = np.where((picks != NOTHING)[:, None], inserted, columns)
    return found
