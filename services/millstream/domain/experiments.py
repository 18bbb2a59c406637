"""What is tried on part of the shoppers: variants of how lists are made; and who gets which.

An experiment is never changed, only ended early: a share or a setting that moved while shoppers
were being counted would mix two comparisons into one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from millstream.domain.events import Tenant, Timestamp
from millstream.domain.lists import Source

THOUSAND = 1000
MOST_VARIANTS = 5
MOST_VERSIONS = 3
"""Named by one experiment: workers and gateways hold them beside the one that serves."""
MOST_DAYS = 28

ExperimentId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$(?!\n)")]
VariantName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)")]
Count = Annotated[int, Meta(ge=0, le=1000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Weight = Annotated[float, Meta(ge=0, le=100)]
VersionNumber = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class Metric(StrEnum):
    """What an experiment is decided by, within a day of a shopper's first list in it."""

    CLICKED = "clicked"
    """Shoppers who clicked a place of a list, of all."""
    BOUGHT = "bought"
    """Shoppers who bought anything at all, of all."""
    CLICK_THROUGH = "click_through"
    """Places clicked, of those told as seen."""


class SettingsChange(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How lists are made otherwise than without it: ranking/settings.py says what each is. Weights
    that are not named stay."""

    per_category: Count | None = None
    popular_places: Count | None = None
    popular_items: Count | None = None
    bought_before: Count | None = None
    looked_at: Count | None = None
    least_days_of_stock: Annotated[float, Meta(ge=0, le=365)] | None = None
    least_reviews: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    most_disliked: Share | None = None
    liked_told: Share | None = None
    liked_weight: Annotated[float, Meta(ge=0, le=10)] | None = None
    variety: Share | None = None
    explore_place: Count | None = None
    recent_items: Count | None = None
    recency: Share | None = None
    repeat_recency: Share | None = None
    learnt_blend: bool | None = None
    weights: dict[Source, Weight] | None = None


class Variant(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`share`: of a thousand shoppers. Without `settings` they are as without the experiment;
    without `model_version` lists are made by whichever version serves."""

    name: VariantName
    share: Annotated[int, Meta(ge=1, le=THOUSAND)]
    settings: SettingsChange | None = None
    model_version: VersionNumber | None = None


class ExperimentTerms(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The first variant is what the others are compared with. `smallest_effect`: the least
    difference that would matter, as a part of one: .01 is a point. Shoppers whom the shares leave
    over are in no variant."""

    variants: Annotated[tuple[Variant, ...], Meta(min_length=2, max_length=MOST_VARIANTS)]
    metric: Metric
    smallest_effect: Annotated[float, Meta(ge=0.0001, le=0.5)] = 0.01
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 14
    note: Annotated[str, Meta(max_length=256)] = ""


class Signed(Struct, frozen=True, omit_defaults=True):
    """When, and with which API key."""

    at: Timestamp
    key_id: Annotated[str, Meta(max_length=64)]
    key_note: Annotated[str, Meta(max_length=128)] = ""


class PinnedVersion(Struct, frozen=True):
    """A version whose manifest can be no other than this one."""

    version: VersionNumber
    manifest_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class Experiment(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`ended`: before its days were over. The record says all that ever happened to it.
    `versions`: of the model, all that its variants name."""

    tenant: Tenant
    experiment_id: ExperimentId
    terms: ExperimentTerms
    begun: Signed
    ended: Signed | None = None
    versions: tuple[PinnedVersion, ...] = ()

    @property
    def over_at(self) -> datetime:
        """From then on it is in no list."""
        full = self.begun.at + timedelta(days=self.terms.days)
        return full if self.ended is None else min(full, self.ended.at)

    def is_running(self, now: datetime) -> bool:
        return self.begun.at <= now < self.over_at

    def version_of(self, variant: Variant) -> PinnedVersion | None:
        """None: whichever serves."""
        return next((one for one in self.versions if one.version == variant.model_version), None)

    def can_be_made_of(self, held: Collection[PinnedVersion]) -> bool:
        """Of versions that loaded. Where one of them is missing no list is in the experiment,
        whatever its shopper's variant: then all variants lose the same shoppers, and who is left
        can be compared."""
        return all(one in held for one in self.versions)

    def label(self, variant: Variant) -> str:
        """What stands on the lists."""
        return f"{self.experiment_id}:{variant.name}"

    def variant_of(self, shopper: str) -> Variant | None:
        """The same for ever, and independent of the shopper's place in other experiments."""
        at = place_of(self.tenant, self.experiment_id, shopper)
        for variant in self.terms.variants:
            at -= variant.share
            if at < 0:
                return variant
        return None


def place_of(tenant: str, experiment_id: str, shopper: str) -> int:
    """Below THOUSAND: blake2b-64 of tenant, experiment and shopper."""
    named = f"{tenant}\n{experiment_id}\n{shopper}".encode()
    digest = hashlib.blake2b(named, digest_size=8, person=b"experiment").digest()
    return int.from_bytes(digest, "big") % THOUSAND


def experiment_of(label: str) -> str | None:
    """None for the variant of lists that are in no experiment."""
    experiment_id, colon, _ = label.partition(":")
    return experiment_id if colon else None


def check_terms(terms: ExperimentTerms) -> None:
    """What the types cannot say. Raises ValueError; its text names the field, never the value."""
    names = [variant.name for variant in terms.variants]
    if len(set(names)) < len(names):
        raise ValueError("variants: each has a name of its own")
    if sum(variant.share for variant in terms.variants) > THOUSAND:
        raise ValueError(f"variants: their shares add up to {THOUSAND} at most")
    if len(named_versions(terms)) > MOST_VERSIONS:
        raise ValueError(f"variants: {MOST_VERSIONS} versions of the model at most")


def check_experiment(experiment: Experiment) -> None:
    """As `check_terms`; also that what the terms name, and nothing else, is pinned."""
    check_terms(experiment.terms)
    if tuple(sorted(one.version for one in experiment.versions)) != named_versions(
        experiment.terms
    ):
        raise ValueError("versions: those that the variants name, each once")


def named_versions(terms: ExperimentTerms) -> tuple[int, ...]:
    """Of the model, ascending, each once."""
    named = {one.model_version for one in terms.variants if one.model_version is not None}
    return tuple(sorted(named))


def running(experiments: Iterable[Experiment], now: datetime) -> Experiment | None:
    """One at a time; of two that were begun at once, by two gateways, the first."""
    at_work = [each for each in experiments if each.is_running(now)]
    return min(at_work, key=lambda each: (each.begun.at, each.experiment_id), default=None)
