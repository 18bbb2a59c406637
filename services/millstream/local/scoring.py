"""Recall of the list a shopper had before it could know the answer, beside the best sellers.

A case is what is scored once: an invoice (`by_invoice`) or a shopper's first encounter with an
item (`by_item`). It opens at the shopper's first event on it, a simulated view included, with
the list that stood then; what is bought in it later is the answer. So no event of a case can
help the list it is scored by.

Recall@20 of a case = bought items in the list / bought items; the figure is the mean over cases.
Left out of both figures alike: a case whose shopper had no list yet (there is nothing to score;
their number is reported), and items that the catalogue hides, which no list may show. The best
sellers are those of the same moment, from the same purchases, hidden items left out; the
stronger of the plain and the decayed count is the baseline."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event, EventType
from millstream.domain.lists import RecommendationList
from millstream.local.popularity import BestSellers

LIST_SIZE = 20
HALF_LIVES_DAYS: dict[str, float | None] = {"plain": None, "decayed_7d": 7.0, "decayed_30d": 30.0}

CaseOf = Callable[[Event, str], Hashable]
"""(event, item id) -> the case that this line belongs to."""


def by_invoice(event: Event, _item_id: str) -> Hashable:
    return event.shopper, event.session_id


def by_item(event: Event, item_id: str) -> Hashable:
    return event.shopper, item_id


@dataclass(slots=True)
class _Case:
    ranked: tuple[str, ...] | None
    model_version: str
    best_sellers: tuple[tuple[str, ...], ...]
    bought: set[str] = field(default_factory=set)

    def recall(self, ranked: Iterable[str]) -> float:
        return len(self.bought.intersection(ranked)) / len(self.bought)


@dataclass(frozen=True, slots=True)
class Recall:
    """Fractions from 0 to 1, means over `cases`; both are 0 when there is no case."""

    cases: int
    recall_at_20: float
    popularity_recall_at_20: float

    @property
    def over_popularity(self) -> float:
        """0 when the best sellers found nothing: no claim is made then."""
        if self.popularity_recall_at_20 == 0:
            return 0.0
        return self.recall_at_20 / self.popularity_recall_at_20


@dataclass(frozen=True, slots=True)
class Score:
    overall: Recall
    by_model_version: dict[str, Recall]
    """Not the same cases for each: to compare two versions use `compare_versions`."""
    popularity: str
    """Which baseline was the stronger, a key of HALF_LIVES_DAYS."""
    cases_without_list: int


class Scorer:
    """Fed in the order things happened: `catalogued`, `before` each event is sent, `listed`.

    `ends_in_purchase` are the cases known to be answered, where the recording tells: the others
    are then not opened, and no event waits on their account. It changes what is waited for,
    never what is recommended or scored."""

    def __init__(
        self, case_of: CaseOf, ends_in_purchase: Container[Hashable] | None = None
    ) -> None:
        self._case_of = case_of
        self._ends_in_purchase = ends_in_purchase
        self._cases: dict[Hashable, _Case] = {}
        self._standing: dict[str, tuple[tuple[int, int, int], tuple[str, ...], str]] = {}
        self._hidden: set[str] = set()
        self._best_sellers: tuple[BestSellers, ...] = ()

    def catalogued(self, item: CatalogueItem) -> None:
        (self._hidden.add if item.hidden else self._hidden.discard)(item.item_id)

    def wants_list(self, event: Event) -> bool:
        """True when the event opens a case, so the list that stands now will be scored."""
        return any(self._is_new(self._case_of(event, line.item_id)) for line in event.items)

    def before(self, event: Event) -> None:
        """Opens the event's cases with what stands now, then learns what it bought."""
        for line in event.items:
            case = self._case_of(event, line.item_id)
            if self._is_new(case):
                self._cases[case] = self._open(event)
        if event.type is EventType.PURCHASE:
            self._bought(event)

    def listed(self, ranked: RecommendationList) -> None:
        """The newest list of a shopper stands, whatever order they arrive in."""
        known = self._standing.get(ranked.user)
        if known is None or ranked.freshness > known[0]:
            ids = tuple(intern(item.item_id) for item in ranked.items[:LIST_SIZE])
            self._standing[ranked.user] = (ranked.freshness, ids, intern(ranked.model_version))

    def score(self) -> Score:
        answered = [case for case in self._cases.values() if case.bought]
        scored = [case for case in answered if case.ranked is not None]
        names = list(HALF_LIVES_DAYS)
        strongest = max(range(len(names)), key=lambda b: _recall(scored, b).popularity_recall_at_20)
        versions = sorted({case.model_version for case in scored})
        return Score(
            overall=_recall(scored, strongest),
            by_model_version={
                version: _recall([c for c in scored if c.model_version == version], strongest)
                for version in versions
            },
            popularity=names[strongest],
            cases_without_list=len(answered) - len(scored),
        )

    def _is_new(self, case: Hashable) -> bool:
        matters = self._ends_in_purchase is None or case in self._ends_in_purchase
        return matters and case not in self._cases

    def _open(self, event: Event) -> _Case:
        _, ids, version = self._standing.get(event.shopper, (None, None, ""))
        return _Case(ids, version, tuple(sellers.ranked() for sellers in self._best_sellers))

    def _bought(self, event: Event) -> None:
        if not self._best_sellers:
            self._best_sellers = tuple(
                BestSellers(LIST_SIZE, event.time_ms, days) for days in HALF_LIVES_DAYS.values()
            )
        for line in event.items:
            if line.item_id in self._hidden:
                continue
            self._cases[self._case_of(event, line.item_id)].bought.add(line.item_id)
            for sellers in self._best_sellers:
                sellers.add(line.item_id, event.time_ms)


def _recall(cases: Sequence[_Case], baseline: int) -> Recall:
    if not cases:
        return Recall(0, 0.0, 0.0)
    ours = sum(case.recall(case.ranked or ()) for case in cases)
    theirs = sum(case.recall(case.best_sellers[baseline]) for case in cases if case.best_sellers)
    return Recall(len(cases), ours / len(cases), theirs / len(cases))


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """Mean recall@20 of two versions over the same invoices."""

    invoices: int
    first: float
    second: float


def baskets(
    events: Iterable[Event], since: datetime, left_out: Container[str] = ()
) -> Iterator[tuple[str, frozenset[str]]]:
    """(shopper, items bought) per transaction from `since` on; empty ones are not yielded.

    The parts of one transaction are put together; a purchase without an id stands alone."""
    bought: dict[tuple[str, str], set[str]] = {}
    for event in events:
        if event.type is EventType.PURCHASE and event.time >= since:
            key = event.shopper, event.transaction_id or event.event_id
            items = (line.item_id for line in event.items if line.item_id not in left_out)
            bought.setdefault(key, set()).update(items)
    return ((shopper, frozenset(items)) for (shopper, _), items in bought.items() if items)


Ranker = Callable[[str], Sequence[str] | None]
"""Shopper -> ranked item ids as known before the window, or None for an unknown shopper."""


def compare_versions(
    first: Ranker, second: Ranker, later_invoices: Iterable[tuple[str, frozenset[str]]]
) -> VersionComparison:
    """Both versions on the same (shopper, bought items), all later than what either learned from.

    An invoice counts when at least one of the two has a list; the other one's lack of a list
    is then a miss. Only the first LIST_SIZE items of a list count."""
    invoices, sums = 0, [0.0, 0.0]
    for shopper, bought in later_invoices:
        lists = (first(shopper), second(shopper))
        if not bought or lists == (None, None):
            continue
        invoices += 1
        for index, ranked in enumerate(lists):
            sums[index] += len(bought.intersection((ranked or ())[:LIST_SIZE])) / len(bought)
    if not invoices:
        return VersionComparison(0, 0.0, 0.0)
    return VersionComparison(invoices, sums[0] / invoices, sums[1] / invoices)
