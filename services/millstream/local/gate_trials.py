"""`millstream verify gate`: six models whose verdict is known before the trainer's gate.

On purchases of Online Retail, in order of time: the first lines are trained on, the visits in the
lines after them are asked for lists. Who must be refused, held and promoted is the reader's own
judgement, too: chance, popularity, a third of the data and weights that are not finite are worse
than the version in service; the same data with another seed are as good; three times the data are
better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import msgspec
import numpy as np
import polars as pl
from rich.console import Console

from millstream.domain.events import EventType
from millstream.domain.models import Decision
from millstream.local.online_retail import invoice_events, read_invoices
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.judgement import Judgement
from millstream.model.scorer import Scorer
from millstream.ranking.settings import RankingSettings
from millstream.trainer.clean import clean
from millstream.trainer.encode import encode
from millstream.trainer.examine import put_to_trial
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.gate.exam import Exam
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.split import queries
from millstream.trainer.whole_list import RankedLists

EARLY_LINES, TRAIN_LINES, LINES = 20_000, 60_000, 90_000
SEEDS = (1, 2)
SERVING = ServingRule(recent_items=24, recent_half_life=10.0, recent_share=0.7)
_COLUMNS = ["user", "event_id", "type", "item", "time_ms"]


@dataclass(frozen=True)
class Trials:
    """How many of the six were decided how, and which of them otherwise than they had to be."""

    refused: int
    held: int
    promoted: int
    misjudged: tuple[str, ...]
    shoppers: int

    def failures(self) -> list[str]:
        return [f"the verdict on {name} is wrong" for name in self.misjudged]


@dataclass(frozen=True)
class Trial:
    name: str
    expected: Decision
    judgement: Judgement


@dataclass(frozen=True)
class World:
    """`before`: (n, 6), the lines that may be learnt from; the exam's visits are all later."""

    before: pl.DataFrame
    exam: Exam
    settings: TrainerSettings


def online_retail_world(settings: TrainerSettings) -> World:
    """Blocks for some seconds."""
    frame = pl.DataFrame(list(islice(_purchased_lines(), LINES)), _COLUMNS, orient="row")
    lines = clean(frame, NOT_GOODS, settings.cleaning()).lines
    border = frame["time_ms"][TRAIN_LINES]
    before, later = (
        lines.filter(pl.col("time_ms") < border),
        lines.filter(pl.col("time_ms") >= border),
    )
    rule = settings.measuring()
    return World(before, Exam.on(before, queries(before, later, rule), rule.k), settings)


def _purchased_lines() -> Iterator[tuple[str, str, str, str, int]]:
    for invoice in read_invoices():
        for event in invoice_events(invoice, Counter()):
            if event.type is EventType.PURCHASE:
                for line in event.items:
                    yield event.shopper, event.event_id, event.type, line.item_id, event.time_ms


def hold_trials(world: World, fit: Fit, console: Console) -> list[Trial]:
    """Blocks for half a minute: three trainings, six verdicts."""

    def trained(lines: int, seed: int) -> Embeddings:
        console.print(f"Training on {lines:,} lines, seed {seed} …")
        data = encode(world.before.head(lines), SERVING.recent_items)
        rule = msgspec.structs.replace(world.settings.training(), seed=seed)
        fitted = fit(data, rule, lambda _: False, None)
        return assemble(data, fitted, SERVING, rule.ridge)

    first, other = SEEDS
    early = trained(EARLY_LINES, first)
    served, again = trained(world.before.height, first), trained(world.before.height, other)
    contestants = [
        ("random", Decision.REFUSED, _random(served), served),
        ("stale", Decision.REFUSED, early, served),
        ("NaN", Decision.REFUSED, _spoilt(served), served),
        ("popularity", Decision.REFUSED, _popular(served, world), served),
        ("equal", Decision.HELD, again, served),
        ("better", Decision.PROMOTED, served, early),
    ]
    shop = RankedLists("default", RankingSettings(), dict).standing(world.before)
    trials = []
    for name, expected, ours, theirs in contestants:
        champion = Scorer(theirs)
        judgement, _ = put_to_trial(
            world.exam, ours, ("the served one", champion), shop, GateRule()
        )
        console.print(f"[bold]{name}[/bold]: {judgement.verdict}", highlight=False)
        trials.append(Trial(name, expected, judgement))
    return trials


def summed_up(trials: list[Trial], shoppers: int) -> Trials:
    decided = Counter(trial.judgement.decision for trial in trials)
    return Trials(
        decided[Decision.REFUSED],
        decided[Decision.HELD],
        decided[Decision.PROMOTED],
        tuple(t.name for t in trials if t.judgement.decision is not t.expected),
        shoppers,
    )


async def verify_gate(console: Console) -> Trials:
    """By the defaults of the settings, whatever the environment says. Blocks for a minute."""
    settings = TrainerSettings.model_construct()
    console.print(f"Reading {LINES:,} purchased lines of Online Retail …")
    world = online_retail_world(settings)
    from millstream.trainer.train import fit_network, limit_threads

    limit_threads(settings.threads)
    trials = hold_trials(world, fit_network, console)
    return summed_up(trials, len({query.user for query in world.exam.queries}))


def _random(like: Embeddings) -> Embeddings:
    rng = np.random.default_rng(1)
    return replace(
        like,
        user_vectors=rng.normal(size=like.user_vectors.shape).astype(np.float32),
        item_vectors=rng.normal(size=like.item_vectors.shape).astype(np.float32),
        recent_to_user=rng.normal(size=like.recent_to_user.shape).astype(np.float32),
    )


def _spoilt(like: Embeddings) -> Embeddings:
    items = like.item_vectors.copy()
    items[0, 0] = np.nan
    return replace(like, item_vectors=items)


def _popular(like: Embeddings, world: World) -> Embeddings:
    """Every shopper's vector is the same, and an item's product with it what was sold of it."""
    data = encode(world.before, 1)
    sold = data.item_weights()[data.items.rows(like.items.ids)]
    users, items, means = (
        np.zeros_like(array)
        for array in (like.user_vectors, like.item_vectors, like.recent_to_user)
    )
    users[:, 0] = means[-1, 0] = 1.0
    items[:, 0] = sold / sold.max()
    return replace(
        like,
        user_vectors=users,
        item_vectors=items,
        recent_to_user=means,
        dense_weight=1.0,
        dense_bias=0.0,
    )
