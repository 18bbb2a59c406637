"""What the experiments' topic says, and which of them runs now."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from millstream.domain.clock import as_datetime
from millstream.domain.experiments import (
    Experiment,
    ExperimentTerms,
    Metric,
    PinnedVersion,
    Signed,
    Variant,
)
from millstream.domain.identity import record_key
from millstream.stores.experiment_book import ExperimentBook

NOON_MS = 1_767_268_800_000
NOON = as_datetime(NOON_MS)
DAY = timedelta(days=1)


class Hour:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> int:
        return self.ms

    def at(self, days: float) -> None:
        self.ms = NOON_MS + round(days * 86_400_000)


def experiment(experiment_id: str, begins: float = 0, share: int = 500) -> Experiment:
    return Experiment(
        tenant="shop",
        experiment_id=experiment_id,
        terms=ExperimentTerms((Variant("a", 500), Variant("b", share)), Metric.CLICKED, days=2),
        begun=Signed(NOON + begins * DAY, "key"),
    )


def trying(pinned: PinnedVersion) -> Experiment:
    variants = Variant("a", 500), Variant("b", 500, model_version=pinned.version)
    terms = ExperimentTerms(variants, Metric.CLICKED, days=2)
    return msgspec.structs.replace(experiment("e"), terms=terms, versions=(pinned,))


def take(book: ExperimentBook, one: Experiment) -> None:
    book.take(record_key(one.tenant, one.experiment_id), msgspec.json.encode(one))


def running(book: ExperimentBook) -> str | None:
    found = book.running("shop")
    return None if found is None else found.experiment_id


def test_it_runs_from_its_beginning_until_it_is_over() -> None:
    clock = Hour()
    book = ExperimentBook(clock)
    take(book, experiment("e", begins=1))
    found = []
    for days in (0, 1, 2.9, 3):
        clock.at(days)
        found.append(running(book))
    assert found == [None, "e", "e", None]
    assert book.running("other") is None


def test_later_records_win_also_over_what_was_worked_out() -> None:
    clock = Hour()
    book = ExperimentBook(clock)
    one = experiment("e")
    take(book, one)
    assert running(book) == "e"
    take(book, msgspec.structs.replace(one, ended=Signed(NOON, "key")))
    assert running(book) is None
    take(book, experiment("f"))
    assert running(book) == "f"
    book.take(record_key("shop", "f"), None)
    assert running(book) is None
    assert [each.experiment_id for each in book.experiments("shop")] == ["e"]


def test_what_does_not_read_is_counted_and_passed_over() -> None:
    book = ExperimentBook(Hour())
    take(book, experiment("e"))
    take(book, experiment("e", share=501))
    for value in (b"{", b"[]", b'{"tenant": "shop"}'):
        book.take(b"shop:e", value)
    assert book.refused == 4
    assert running(book) == "e"


def test_versions_are_named_until_it_is_over_and_soon_before_it_begins() -> None:
    """Clocks differ: a worker's may be behind that of the gateway at which it was begun."""
    clock, pinned = Hour(), PinnedVersion(3, "3" * 64)
    book = ExperimentBook(clock)
    one = trying(pinned)
    take(book, one)
    assert book.named_versions("nobody") == set()
    for days, named in ((-0.001, {pinned}), (1, {pinned}), (2, set[PinnedVersion]())):
        clock.at(days)
        assert book.named_versions("shop") == named
    take(book, msgspec.structs.replace(one, experiment_id="f", versions=()))
    assert (book.find("shop", "f"), book.refused) == (None, 1), "what it names is not pinned"
