"""What came of a played recording, and whether it is what was promised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Required:
    """What a recording must come to, beyond what every one must: nothing lost or doubled and
    nobody left behind."""

    accepted: int = 0
    rows: int | None = None
    """Accepted and skipped ones must add up to so many; None: not asked."""
    lists: int = 0
    models_promoted: int = 0
    forecasts: int = 0
    """Of so many items at least insights is to tell what will sell; 0: it is not asked."""
    reviews_counted: int = 0
    """So many made-up ones at least are to be judged, counted and told in a list."""
    p99_ms: float | None = None
    better_than_popularity: bool = False
    better_second_model: bool = False


@dataclass(frozen=True)
class Summary:
    accepted: int
    dead_lettered: int
    skipped: int
    lists: int
    models_promoted: int
    event_to_list_p50_ms: float
    event_to_list_p99_ms: float
    recall_at_20: float
    popularity_recall_at_20: float
    recall_over_popularity: float
    cases: int
    cases_without_list: int
    popularity_baseline: str
    first_model_recall_at_20: float | None
    second_model_recall_at_20: float | None
    later_invoices: int
    shoppers_left_behind: int
    lost: int
    doubled: int
    lost_lines: int
    doubled_lines: int
    first_list_s: float
    seconds: float
    broker: str
    redis: str

    def failures(self, required: Required) -> list[str]:
        """A sentence for each figure that is not what it must be; empty: all is well."""
        return [
            *above_zero(self, "lost", "doubled", "lost_lines", "doubled_lines"),
            *above_zero(self, "shoppers_left_behind"),
            *self._too_few(required),
            *self._too_slow(required),
            *self._no_better(required),
        ]

    def _too_few(self, required: Required) -> list[str]:
        found = [
            f"{name} is {getattr(self, name):,}, at least {least:,} were promised"
            for name in ("accepted", "lists", "models_promoted", "forecasts", "reviews_counted")
            if getattr(self, name, 0) < (least := getattr(required, name))
        ]
        if required.rows not in (None, self.accepted + self.skipped):
            found.append(
                f"accepted is {self.accepted:,} and skipped {self.skipped:,}, "
                f"the recording has {required.rows:,} rows"
            )
        return found

    def _too_slow(self, required: Required) -> list[str]:
        p99_ms, most = self.event_to_list_p99_ms, required.p99_ms
        if most is None or p99_ms <= most:
            return []
        return [f"event_to_list_p99_ms is {p99_ms:,.0f}, at most {most:,.0f} were promised"]

    def _no_better(self, required: Required) -> list[str]:
        found = []
        if required.better_than_popularity and self.recall_over_popularity <= 1:
            found.append(
                f"recall_over_popularity is {self.recall_over_popularity:.4f}, above 1 was promised"
            )
        first, second = self.first_model_recall_at_20, self.second_model_recall_at_20
        if required.better_second_model and not (second or 0.0) > (first or 0.0):
            found.append(
                f"second_model_recall_at_20 is {second}, above the first model's {first} "
                "was promised"
            )
        return found


@dataclass(frozen=True)
class InsightsSummary(Summary):
    """Of a recording of which insights tells what will sell, of so many items, and judges made-up
    reviews. `reviews_judged`: verdicts, more than were counted where a review was sent twice;
    `reviews_lost`, `reviews_doubled`: against a recount of the verdicts' topic; `review_reason`: in
    a list, of an item that reviewers like."""

    forecasts: int
    reviews_judged: int
    reviews_counted: int
    reviews_lost: int
    reviews_doubled: int
    review_reason: str

    def failures(self, required: Required) -> list[str]:
        """As those of every run, and of the reviews."""
        found = [
            *super().failures(required),
            *above_zero(self, "reviews_lost", "reviews_doubled"),
        ]
        if required.reviews_counted and not self.review_reason:
            found.append("review_reason is empty, a list that tells of reviewers was promised")
        return found


def above_zero(result: object, *names: str) -> list[str]:
    return [
        f"{name} is {getattr(result, name):,}, 0 was promised"
        for name in names
        if getattr(result, name) > 0
    ]
