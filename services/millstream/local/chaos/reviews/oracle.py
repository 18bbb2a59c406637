"""The oracle of reviews: what must be judged and counted, told from two raw logs alone.

Written from docs/reviews.md, sharing no code with insights: each review has a verdict, no verdict
is on anything else, and of each review the first verdict in the log counts, once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from millstream.local.chaos.oracle_event import FUTURE_MS, JSON, NoEvent, clean_id, clean_time

Name = tuple[str, str, str]
"""(tenant, shopper, review id)."""
Count = tuple[str, str, str]
"""(tenant, item, verdict)."""
Place = tuple[int, int]
"""(partition, offset)."""


@dataclass(slots=True)
class ReviewOracle:
    """Fed with reviews, then with verdicts in the order of each partition. `refused`: where what is
    no review lies; `strange`: verdicts on what nobody wrote, and records that are none."""

    written: dict[Name, set[str]] = field(default_factory=dict)
    refused: set[Place] = field(default_factory=set)
    judged: set[Name] = field(default_factory=set)
    counts: Counter[Count] = field(default_factory=Counter)
    verdicts: int = 0
    strange: int = 0

    def add_review(self, place: Place, log_ms: int, value: bytes | None) -> None:
        try:
            name, item = _review(value, log_ms)
        except NoEvent:
            self.refused.add(place)
        else:
            self.written.setdefault(name, set()).add(item)

    def add_verdict(self, value: bytes | None) -> None:
        self.verdicts += 1
        try:
            said = JSON.decode((value or b"").decode())
            name = (said["tenant"], said["user"], said["review_id"])
            item, verdict = said["item_id"], said["verdict"]
        except (ValueError, KeyError, TypeError):
            self.strange += 1
            return
        if item not in self.written.get(name, ()):
            self.strange += 1
        elif name not in self.judged:
            self.judged.add(name)
            self.counts[name[0], item, verdict] += 1

    @property
    def unjudged(self) -> int:
        return len(self.written.keys() - self.judged)


def _review(value: bytes | None, log_ms: int) -> tuple[Name, str]:
    """Raises NoEvent."""
    try:
        body = JSON.decode((value or b"").decode())
        known = body.get("user_id")
        shopper = clean_id(known) if known is not None else "~" + clean_id(body["anonymous_id"])
        name = body.get("tenant", "default"), shopper, clean_id(body["review_id"])
        if clean_time(body["time"]) > log_ms + FUTURE_MS or not _said(body):
            raise NoEvent
        return name, clean_id(body["item_id"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoEvent from error


def _said(body: dict[str, Any]) -> bool:
    words = body.get("title", "") + body.get("text", "")
    return bool(words.strip()) and 1 <= body.get("rating", 1) <= 5
