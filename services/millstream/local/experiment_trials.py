"""`millstream verify experiments`: shops where what is true of the variants is known beforehand.

Made-up shoppers go through the shipped split, estimates and stop rule. Each run is looked at some
hundred times, from the first few hundred shoppers on, as somebody would who has the panel open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from millstream.domain.experiments import ExperimentTerms, Metric, Variant, place_of
from millstream.experiments.confidence import Estimate, Interval, fixed, of_share
from millstream.experiments.outcomes import NAMES, Outcomes
from millstream.experiments.report import ALPHA, compare
from millstream.experiments.sample_ratio import ALPHA as SPLIT_ALPHA
from millstream.experiments.sample_ratio import Split, chi_square_p, sample_ratio
from millstream.local.experiment_cost import parted_cost

SEED = 1
RUNS, LOOKS = 2_000, 100
SHOPPERS = 40_000
LEAST = 200
"""At the first look."""
BETWEEN_LOOKS = np.diff(np.geomspace(LEAST, SHOPPERS, LOOKS).astype(int), prepend=0)
CTR_RUNS, CTR_SHOPPERS, CTR_LOOKS = 1_000, 6_000, 60
LOST = 0.06
"""Of one variant's shoppers, where the split is to be found wrong."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Shop:
    """`rates`: of each variant, the share of shoppers who do it."""

    name: str
    shares: tuple[int, ...]
    rates: tuple[float, ...]


ALIKE = (
    Shop("halves, 5 %", (500, 500), (0.05, 0.05)),
    Shop("a tenth, 2 %", (900, 100), (0.02, 0.02)),
    Shop("four variants, 10 %", (250, 250, 250, 250), (0.1,) * 4),
)
BETTER = Shop("5 % and 6 %", (500, 500), (0.05, 0.06))


@dataclass(frozen=True)
class Trials:
    """Rates are shares of runs. `aa_false_positive_rate`: a difference was told, at any look, where
    there is none; the worst of `aa_shops`. `naive_…`: the same looks by the usual test at the same
    level. `ctr_…`: of click-through, where shoppers differ; `ctr_places_rate`: had each place been
    a unit, one look at the end. `power`: the better variant was told, after `shoppers_to_decide`
    in the median. `ranking_cost`: of a portion parted in two, over one that is not."""

    aa_runs: int
    looks: int
    alpha: float
    aa_false_positive_rate: float
    aa_false_positive_bound: float
    naive_false_positive_rate: float
    aa_shops: dict[str, float]
    ctr_runs: int
    ctr_false_positive_rate: float
    ctr_false_positive_bound: float
    ctr_places_rate: float
    power: float
    wrong_way: float
    shoppers_to_decide: int | None
    srm_false_alarm_rate: float
    srm_false_alarm_bound: float
    srm_detected: float
    split_p_value: float
    ranking_cost: float

    def failures(self) -> list[str]:
        found = {
            "more A/A runs than promised told a difference": self.aa_false_positive_rate
            > self.aa_false_positive_bound,
            "more A/A runs than promised told a difference in click-through": (
                self.ctr_false_positive_rate > self.ctr_false_positive_bound
            ),
            "the usual test is not misled by the looks: the runs show nothing": (
                self.naive_false_positive_rate <= 2 * ALPHA
            ),
            "the better variant is not found": self.power < 0.8,
            "the worse variant is told as better": self.wrong_way > ALPHA / 2,
            "right splits are called wrong": self.srm_false_alarm_rate > self.srm_false_alarm_bound,
            "wrong splits are not noticed": self.srm_detected < 0.95,
            "ranking by variant costs as much as ranking twice": self.ranking_cost > 1.7,
            "the split by hash is not as laid down": self.split_p_value < 0.001,
        }
        return [what for what, is_so in found.items() if is_so]


@dataclass(frozen=True)
class Verdict:
    """Of one run: at which look a difference was told first, and which way."""

    told_at: int | None
    better: bool
    naive_told: bool
    split_wrong: bool


async def verify_experiments(console: Console, seed: int = SEED) -> Trials:
    """Blocks for a minute or two."""
    cost = parted_cost(parts=2)
    console.print(f"a portion parted in two costs {cost:.2f} of one that is not", highlight=False)
    return hold_trials(console, RUNS, CTR_RUNS, np.random.default_rng(seed), cost)


def hold_trials(
    console: Console, runs: int, ctr_runs: int, rng: np.random.Generator, ranking_cost: float
) -> Trials:
    told: dict[str, float] = {}
    naive, false_alarms = 0.0, 0.0
    for shop in ALIKE:
        verdicts = [_judged(shop, run) for run in _runs(shop, runs, rng)]
        told[shop.name] = _share(v.told_at is not None for v in verdicts)
        naive = max(naive, _share(v.naive_told for v in verdicts))
        false_alarms = max(false_alarms, _share(v.split_wrong for v in verdicts))
        console.print(f"{shop.name}: {told[shop.name]:.2%} of {runs:,} A/A runs", highlight=False)
    ctr, ctr_places = _click_through(ctr_runs, rng)
    console.print(f"click-through: {ctr:.2%} of {ctr_runs:,} A/A runs", highlight=False)
    found = [_judged(BETTER, run) for run in _runs(BETTER, runs, rng)]
    sizes = BETWEEN_LOOKS.cumsum().tolist()
    right = [sizes[v.told_at] for v in found if v.told_at is not None and v.better]
    lossy = [_judged(ALIKE[0], run) for run in _runs(ALIKE[0], runs, rng, LOST)]
    return Trials(
        aa_runs=runs,
        looks=LOOKS,
        alpha=ALPHA,
        aa_false_positive_rate=max(told.values()),
        aa_false_positive_bound=_bound(ALPHA, runs),
        naive_false_positive_rate=naive,
        aa_shops=told,
        ctr_runs=ctr_runs,
        ctr_false_positive_rate=ctr,
        ctr_false_positive_bound=_bound(ALPHA, ctr_runs),
        ctr_places_rate=ctr_places,
        power=round(len(right) / runs, 4),
        wrong_way=_share(v.told_at is not None and not v.better for v in found),
        shoppers_to_decide=int(median(right)) if right else None,
        srm_false_alarm_rate=false_alarms,
        srm_false_alarm_bound=_bound(SPLIT_ALPHA, runs),
        srm_detected=_share(v.split_wrong for v in lossy),
        split_p_value=_split_p_value(),
        ranking_cost=ranking_cost,
    )


def _runs(
    shop: Shop, runs: int, rng: np.random.Generator, lost: float = 0.0
) -> Iterator[tuple[Counts, Counts]]:
    """Each (looks, variants): who came up to then, and who of them did it. `lost`: of the last
    variant's shoppers."""
    parts = np.array(shop.shares) / sum(shop.shares)
    for _ in range(runs):
        came = rng.multinomial(BETWEEN_LOOKS, parts)
        came[:, -1] -= rng.binomial(came[:, -1], lost)
        did = rng.binomial(came, shop.rates)
        yield came.cumsum(axis=0), did.cumsum(axis=0)


def _judged(shop: Shop, run: tuple[Counts, Counts]) -> Verdict:
    terms = _terms(shop.shares, Metric.CLICKED)
    told_at, better, naive_told, split_wrong = None, False, False, False
    for look, (came, did) in enumerate(zip(*(counts.tolist() for counts in run), strict=True)):
        sums = [Outcomes(shoppers=n, clicked=k) for n, k in zip(came, did, strict=True)]
        gaps = compare(terms, sums)
        if told_at is None and any(_tells(gap) for gap in gaps):
            told_at, better = look, any(gap is not None and gap[1].low > 0 for gap in gaps)
        # The usual test for the first two, so that it is one test in every shop.
        naive_told = naive_told or (gaps[0] is not None and _excludes_none(fixed(gaps[0][0])))
        split_wrong = split_wrong or sample_ratio(shop.shares, came).verdict is Split.MISMATCH
    return Verdict(told_at, better, naive_told, split_wrong)


def _click_through(runs: int, rng: np.random.Generator) -> tuple[float, float]:
    """Shoppers are shown some ten places or many more, and each clicks at a rate of their own."""
    terms = _terms((500, 500), Metric.CLICK_THROUGH)
    ends = np.geomspace(LEAST, CTR_SHOPPERS, CTR_LOOKS).astype(int) - 1
    told, places_told = 0, 0
    for _ in range(runs):
        seen = rng.poisson(rng.gamma(1.5, 8.0, CTR_SHOPPERS))
        hit = rng.binomial(seen, rng.beta(1.0, 19.0, CTR_SHOPPERS))
        arm = rng.integers(0, 2, CTR_SHOPPERS)
        arms = [_sums(seen, hit, arm == which)[ends].tolist() for which in (0, 1)]
        looks = [[Outcomes(*sums) for sums in at] for at in zip(*arms, strict=True)]
        told += any(_tells(compare(terms, sums)[0]) for sums in looks)
        last = [of_share(sums.seen, sums.hit) for sums in looks[-1]]
        places_told += _differ(last)
    return round(told / runs, 4), round(places_told / runs, 4)


def _sums(seen: Counts, hit: Counts, mine: NDArray[np.bool_]) -> Counts:
    """(shoppers, sums): of a variant up to each shopper, in the order of `NAMES`."""
    seen, hit = seen * mine, hit * mine
    of = {
        "shoppers": mine,
        "saw": seen > 0,
        "seen": seen,
        "hit": hit,
        "seen_seen": seen**2,
        "hit_hit": hit**2,
        "seen_hit": seen * hit,
    }
    nothing = np.zeros_like(seen)
    return np.stack([np.cumsum(of.get(name, nothing)) for name in NAMES], axis=1)


def _split_p_value(experiments: int = 10, shoppers: int = 10_000) -> float:
    """Whether ids fall as laid down, and in one experiment as if there were no other: over pairs
    of experiments, a table of tenths by tenths."""
    cells = [0] * 100
    for number in range(0, experiments, 2):
        for shopper in range(shoppers):
            ours, next_one = (
                place_of("default", f"e{number + more}", f"shopper-{shopper}") // 100
                for more in (0, 1)
            )
            cells[ours * 10 + next_one] += 1
    return round(chi_square_p([0.01] * 100, cells), 4)


def _terms(shares: tuple[int, ...], metric: Metric) -> ExperimentTerms:
    variants = (Variant(f"v{i}", share) for i, share in enumerate(shares))
    return ExperimentTerms(tuple(variants), metric)


def _tells(gap: tuple[Estimate, Interval] | None) -> bool:
    return gap is not None and _excludes_none(gap[1])


def _excludes_none(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0


def _differ(estimates: list[Estimate | None]) -> bool:
    ours, theirs = estimates
    if ours is None or theirs is None:
        return False
    gap = Estimate(ours.mean - theirs.mean, ours.variance + theirs.variance)
    return _excludes_none(fixed(gap))


def _share(of: Iterator[bool]) -> float:
    told = list(of)
    return round(sum(told) / len(told), 4)


def _bound(alpha: float, runs: int) -> float:
    """What a rate of `alpha` stays below in so many runs, but for one in 700 such trials."""
    return round(alpha + 3 * sqrt(alpha * (1 - alpha) / runs), 4)
