"""The candidate sources in force. A new source is one file here and one line in SOURCES."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from millstream.ranking.candidates import covisited, embedding, new, popular, repeat
from millstream.ranking.candidates.source import CandidateSource, Context
from millstream.ranking.shop import Candidate, Shopper

SOURCES: tuple[CandidateSource, ...] = cast(
    tuple[CandidateSource, ...], (repeat, covisited, embedding, popular, new)
)


def propose(
    shoppers: Sequence[Shopper], context: Context
) -> tuple[list[list[Candidate]], Counter[str]]:
    """Per shopper the candidates of every source, and how often each source failed.

    A source that raises is counted and skipped: the list still goes out."""
    proposed: list[list[Candidate]] = [[] for _ in shoppers]
    failed: Counter[str] = Counter()
    for source in SOURCES:
        try:
            lists = source.propose(shoppers, context)
        except Exception:  # noqa: BLE001  one source must not take the list down
            failed[source.SOURCE] += 1
            continue
        for into, candidates in zip(proposed, lists, strict=True):
            into.extend(candidates)
    return proposed, failed
