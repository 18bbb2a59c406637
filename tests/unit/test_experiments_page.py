"""docs/experiments.md: what was measured is what `millstream verify experiments` printed."""

from __future__ import annotations

import json
import re

import pytest
from tests.documents import ROOT, text_of

FOUND = json.loads((ROOT / "benchmarks" / "results" / "experiments.json").read_text())
PAGE = text_of("docs/experiments.md").partition("## What was measured")[2].partition("\n## ")[0]
ROWS = {
    "halves, 5 % click": FOUND["aa_shops"]["halves, 5 %"],
    "a tenth against nine, 2 % click": FOUND["aa_shops"]["a tenth, 2 %"],
    "four variants, 10 % click": FOUND["aa_shops"]["four variants, 10 %"],
    "click-through, shoppers who differ": FOUND["ctr_false_positive_rate"],
    "the usual 95 % test at the same looks": FOUND["naive_false_positive_rate"],
    "click-through, each place a unit, one look": FOUND["ctr_places_rate"],
}
HALF_A_TENTH = 0.000501
"""Of a percent: how far a share is from what is told of it."""


def test_the_table_has_what_was_printed() -> None:
    told = dict(re.findall(r"^\| \*?([^|*]+?)\*? \| \*?([\d.]+) %\*? \|$", PAGE, re.MULTILINE))
    shares = {name: float(share) / 100 for name, share in told.items()}
    assert shares == pytest.approx(ROWS, abs=HALF_A_TENTH)


@pytest.mark.parametrize(
    ("sentence", "share"),
    [
        (r"is found in ([\d.]+) % of 2,000 runs", FOUND["power"]),
        (r"is noticed in ([\d.]+) % of runs", FOUND["srm_detected"]),
        (r"called wrong in ([\d.]+) % at most", FOUND["srm_false_alarm_rate"]),
    ],
)
def test_the_sentences_have_what_was_printed(sentence: str, share: float) -> None:
    (told,) = re.findall(sentence, PAGE.replace("\n", " "))
    assert float(told) / 100 == pytest.approx(share, abs=HALF_A_TENTH)


def test_the_numbers_of_runs_and_shoppers_are_those_of_the_run() -> None:
    assert f"of {FOUND['aa_runs']:,} runs without a difference" in PAGE
    assert f"{FOUND['ctr_runs']:,} for click-through" in PAGE
    assert f"after {FOUND['shoppers_to_decide']:,} shoppers in the median" in PAGE
    assert f"looked at {FOUND['looks']} times" in PAGE.replace("\n", " ")
    assert ("never the wrong way round" in PAGE) is (FOUND["wrong_way"] == 0)
