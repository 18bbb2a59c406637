"""`millstream bench training`: the settings of the document beside ours, on the same purchases.

Online Retail's purchased lines in order of time: the first `lines` are trained on, the visits in
the `lines` after them are asked for a list, by the trainer's own stages. A version comes about as
the trainer makes it: how recent items count is chosen on the newest 5 % of the first part, then
the network is fitted anew on all of that part, and `fit_seconds` is the time of this second fit.
Rows are of the model alone, without the other candidates and rules around it. The document's row
differs in batch, epochs and Adam's learning rate (.001); all else is ours in both. `stale` has not
seen the newest sixth of the first part, and `warm` goes on from it with that sixth alone.

Anonymous invoices are in: a visit by somebody of whom nothing is known gets popular items from
every contender, which pulls all rows together. `queries_with_history` counts the other visits.

Only the first part is cleaned of rare items and shoppers. Of the later one nothing but what is no
goods is left out, so an item or a shopper that training never saw counts against everybody."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import polars as pl
from benchmarks.machine import machine
from msgspec.structs import replace
from rich.console import Console

from millstream.domain.events import EventType
from millstream.local.gate_trials import SERVING
from millstream.local.online_retail import invoice_events, read_invoices
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.model.scorer import Scorer
from millstream.trainer.clean import clean
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.evaluate import (
    COVISITATION,
    POPULARITY,
    choose_rule,
    measure_contender,
    measure_model,
)
from millstream.trainer.fitting import Fit, Fitted, assemble
from millstream.trainer.quality.baselines import Covisitation, Popularity
from millstream.trainer.settings import Cleaning, Measuring, TrainerSettings, Training
from millstream.trainer.split import Parts, Query, queries, split_by_time
from millstream.trainer.warm_start import going_on

Row = dict[str, str | int | float | None]
"""name, batch_size, epochs, fit_seconds (None where nothing is fitted), the metrics at 20."""

DOCUMENT = {"batch_size": 32, "epochs": 5, "learning_rate": 0.001}
NEWEST = 1 / 6
_EVERYTHING = Cleaning(min_user_lines=1, min_item_lines=1)


@dataclass(frozen=True)
class Exam:
    """`before` and `later` (n, 6) each, as stage 2 gives them; `asked`: the visits in `later`."""

    before: pl.DataFrame
    later: pl.DataFrame
    asked: Sequence[Query]


def purchased_lines() -> Iterator[tuple[str, str, str, str, int]]:
    """(user, event_id, type, item, time_ms) of each item line, in order of time."""
    for invoice in read_invoices():
        for event in invoice_events(invoice, Counter()):
            if event.type is EventType.PURCHASE:
                for line in event.items:
                    yield event.shopper, event.event_id, event.type, line.item_id, event.time_ms


def prepare(lines: int, settings: TrainerSettings) -> Exam:
    """The first `lines` and as many after them; fewer where the data end, and a few more or less
    where the border would part lines of the same minute."""
    columns = ["user", "event_id", "type", "item", "time_ms"]
    frame = pl.DataFrame(list(islice(purchased_lines(), 2 * lines)), columns, orient="row")
    halves = _split(frame, 0.5, settings.measuring())
    before = clean(halves.train, NOT_GOODS, settings.cleaning()).lines
    later = clean(halves.test, NOT_GOODS, _EVERYTHING).lines
    return Exam(before, later, queries(before, later, settings.measuring()))


def compare(exam: Exam, settings: TrainerSettings, fit: Fit, console: Console) -> list[Row]:
    """The document's settings, ours, a version that goes on from an older one, popularity and
    co-visitation, on the same queries. Blocks for
    a minute or two. The same settings and lines give the same metrics."""
    ours = settings.training()
    rows = []
    for name, rule in (("document", replace(ours, **DOCUMENT)), ("ours", ours)):
        console.print(f"{name}: batch {rule.batch_size}, {rule.epochs} epochs, fitted twice …")
        rows.append(_trained(name, rule, exam, settings.measuring(), fit))
        console.print(f"{name}: {rows[-1]['fit_seconds']} s for the second fit")
    console.print("stale and warm: what was newest left out, and gone on with …")
    rows += _gone_on(settings, exam, fit)
    return rows + _baselines(exam, settings.measuring())


def _trained(name: str, training: Training, exam: Exam, measuring: Measuring, fit: Fit) -> Row:
    parts = _split(exam.before, measuring.validation_share, measuring)
    data = encode(parts.train, measuring.recent_items)
    held_out = queries(parts.train, parts.test, measuring)
    fitted = fit(data, training, lambda _: False, None)
    serving = choose_rule(data, fitted, held_out, training.ridge, measuring)
    data = encode(exam.before, measuring.recent_items)
    fitted, seconds = _timed(data, training, fit)
    model = assemble(data, fitted, serving, training.ridge)
    means = measure_model(data, Scorer(model), exam.asked, measuring.k).means()
    return _row(name, training, seconds, means)


def _gone_on(settings: TrainerSettings, exam: Exam, fit: Fit) -> list[Row]:
    """The version that was in service before the newest sixth came, and one that goes on from it
    with that sixth alone."""
    measuring, full, warm = settings.measuring(), settings.training(), settings.warm_training()
    parts = _split(exam.before, NEWEST, measuring)
    old = encode(parts.train, measuring.recent_items)
    fitted, stale_s = _timed(old, full, fit)
    stale = assemble(old, fitted, SERVING, full.ridge)
    data = going_on(exam.before, stale, int(parts.train["time_ms"][-1]), measuring.recent_items)
    fitted, warm_s = _timed(data, warm, fit)
    gone_on = assemble(data, fitted, SERVING, full.ridge)
    found = [
        measure_model(of, Scorer(model), exam.asked, measuring.k).means()
        for of, model in ((old, stale), (data, gone_on))
    ]
    return [_row("stale", full, stale_s, found[0]), _row("warm", warm, warm_s, found[1])]


def _timed(data: Interactions, training: Training, fit: Fit) -> tuple[Fitted, float]:
    began = time.perf_counter()
    fitted = fit(data, training, lambda _: False, None)
    return fitted, round(time.perf_counter() - began, 2)


def _row(name: str, training: Training, seconds: float, found: dict[str, float]) -> Row:
    chosen = {"batch_size": training.batch_size, "epochs": training.epochs}
    return {"name": name, **chosen, "fit_seconds": seconds, **_rounded(found)}


def _baselines(exam: Exam, rule: Measuring) -> list[Row]:
    seen = encode(exam.before, rule.recent_items)
    rows: list[Row] = []
    for name, contender in (
        (POPULARITY, Popularity(seen)),
        (COVISITATION, Covisitation(exam.before, seen, rule.visit_gap_ms)),
    ):
        means = measure_contender(seen, contender, exam.asked, rule.k).means()
        nothing = dict.fromkeys(("batch_size", "epochs", "fit_seconds"))
        rows.append({"name": name, **nothing, **_rounded(means)})
    return rows


def _split(lines: pl.DataFrame, test_share: float, rule: Measuring) -> Parts:
    """Two parts: `train` and `test`, with nothing between them."""
    return split_by_time(lines, replace(rule, test_share=test_share, validation_share=0.0))


def _rounded(means: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in means.items()}


def main(lines: int, console: Console) -> dict[str, Any]:
    """By the defaults of the settings, whatever the environment says; alone in its process."""
    facts, settings = machine(), TrainerSettings.model_construct()
    console.print(f"Reading {2 * lines:,} purchased lines, then TensorFlow …")
    exam = prepare(lines, settings)
    from millstream.trainer.train import fit_network, limit_threads

    limit_threads(settings.threads)
    return {
        "rows": compare(exam, settings, fit_network, console),
        "train_lines": exam.before.height,
        "test_lines": exam.later.height,
        "queries": len(exam.asked),
        "queries_with_history": sum(bool(query.recent) for query in exam.asked),
        **facts,
    }
