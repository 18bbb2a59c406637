"""The margins of the gate."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]


class GateRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Chosen on Online Retail by trainings that differ in their seed alone (`docs/decisions.md`
    has the figures): a gate must let equals pass for equals, and find what is worse."""

    margin: Share = 0.05
    """Of the reference's own value: so far may recall@20 and MRR@20 of the whole list and recall@20
    of the model alone fall over all shoppers. Equals differ by less than 1 % in whole lists and by
    2 % in the model's recall; half the data cost 12 % of the latter."""
    model_mrr_margin: Share = 0.10
    """The same of the model's MRR, which moves by up to 7 % with the seed."""
    segment_margin: Share = 0.15
    """The same of whole lists within a segment, which has fewer shoppers and rarer hits: equals
    differ by up to 5 % there."""
    least_margin: Share = 0.002
    """Where the reference hits or shows almost nothing, a share of it is no margin."""
    least_shoppers: Annotated[int, Meta(ge=2)] = 30
    """In a segment with fewer nothing is judged."""
    coverage_kept: Share = 0.8
    """Of the reference's coverage (different items in all lists, per known item), and of the share
    of places that its lists give to the long tail. Equals keep 95 %, half the data keep 75 %."""
    gini_rise: Share = 0.05
    """So far may the Gini coefficient of exposure rise; between equals it moves by 0.004."""
    resamples: Annotated[int, Meta(ge=100)] = 2000
    seed: Annotated[int, Meta(ge=0)] = 1
