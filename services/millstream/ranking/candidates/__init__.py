"""The candidate sources in force. A new source is one file here and one line in SOURCES."""

from __future__ import annotations

from collections import Counter
from typing import cast

from millstream.domain.lists import Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates import covisited, embedding, new, popular, repeat, ruled
from millstream.ranking.candidates.source import Candidates, CandidateSource, Context

SOURCES: tuple[CandidateSource, ...] = cast(
    tuple[CandidateSource, ...], (repeat, covisited, embedding, popular, new, ruled)
)


def propose(batch: Batch, context: Context) -> tuple[list[tuple[Source, Candidates]], Counter[str]]:
    """The candidates of every source, and how often each source failed.

    A source that raises is counted and skipped: the list still goes out."""
    proposed: list[tuple[Source, Candidates]] = []
    failed: Counter[str] = Counter()
    for source in SOURCES:
        try:
            proposed.append((source.SOURCE, source.propose(batch, context)))
        except Exception:  # noqa: BLE001  one source must not take the list down
            failed[source.SOURCE] += 1
    return proposed, failed
