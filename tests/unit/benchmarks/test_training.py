"""What the training benchmark reads: purchases alone, in order of time, and no look ahead."""

from __future__ import annotations

from itertools import islice

from millstream.cli.bench import ROOT, benchmark
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.trainer.settings import TrainerSettings

training = benchmark("training", ROOT)
LINES = 3_000


def test_lines_are_purchases_in_order_of_time() -> None:
    lines = list(islice(training.purchased_lines(), 2 * LINES))
    times = [time_ms for *_, time_ms in lines]
    assert times == sorted(times)
    assert {kind for _, _, kind, _, _ in lines} == {"purchase"}
    # The first invoice of the publication: seven lines of customer 17850.
    assert [line[:2] for line in lines[:8]] == [("17850", "or-536365-0")] * 7 + [
        ("17850", "or-536366-0")
    ]


def test_what_is_asked_about_lies_after_all_that_is_trained_on() -> None:
    exam = training.prepare(LINES, TrainerSettings.model_construct())
    border = exam.before["time_ms"].max()
    assert border < exam.later["time_ms"].min()
    assert exam.asked
    assert min(query.at_ms for query in exam.asked) > border
    assert not {*exam.before["item"], *exam.later["item"]} & NOT_GOODS
    unseen = {*exam.later["item"]} - {*exam.before["item"]}
    wanted = {item for query in exam.asked for item in query.wanted}
    assert unseen & wanted, "items that training never saw must count as misses"
