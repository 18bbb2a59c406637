"""Announcements: whose tenant is known, and what does not read as one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from tests.builders import NOON_MS, record

from millstream.domain.experiments import (
    Experiment,
    ExperimentTerms,
    Metric,
    PinnedVersion,
    Signed,
    Variant,
)
from millstream.domain.models import ModelAnnouncement
from millstream.model.serving import NOTHING_SERVES, Named
from millstream.recommender import telemetry
from millstream.recommender.following import take_announcement, take_experiment
from millstream.recommender.hot_swap import HotSwap
from millstream.stores.experiment_book import ExperimentBook


def announced(**changes: object) -> bytes:
    plain = {
        "tenant": "shop-2",
        "model": "embedding",
        "version": 1,
        "manifest_sha256": "0" * 64,
        "promoted": True,
        "verdict": "",
        "metrics": {},
        "created_at": "2026-01-01T12:00:00Z",
    }
    return json.dumps({**plain, **changes}).encode()


class Known(HotSwap):
    def __init__(self) -> None:
        self.tenants: list[str] = []
        self.held: Named = {}

    def named(self, _tenant: str) -> Named:
        return self.held

    def announce(self, tenant: str) -> None:
        self.tenants.append(tenant)


def take(value: bytes | None) -> tuple[list[str], float]:
    """The tenants made known, and how many announcements were refused."""
    known, before = Known(), telemetry.ANNOUNCEMENTS_REFUSED._value.get()
    take_announcement(record(value), "embedding", known, NOON_MS)
    return known.tenants, telemetry.ANNOUNCEMENTS_REFUSED._value.get() - before


@pytest.mark.parametrize("promoted", [True, False])
def test_a_tenant_is_known_whether_its_version_was_promoted_or_not(promoted: bool) -> None:
    value = announced(promoted=promoted)
    assert msgspec.json.decode(value, type=ModelAnnouncement).promoted is promoted
    assert take(value) == (["shop-2"], 0)


@pytest.mark.parametrize("model", ["other", "sentiment"])
def test_another_models_announcements_are_not_ours(model: str) -> None:
    assert take(announced(model=model)) == ([], 0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{]",
        b"\xff",
        b"[]",
        announced(version=0),
        announced(created_at=5),
        b'{"extra":' + b"[" * 50_000,
    ],
)
def test_what_is_no_announcement_is_counted_and_passed_over(value: bytes | None) -> None:
    assert take(value) == ([], 1)


def test_the_versions_of_an_experiment_are_looked_up_when_it_begins_and_when_it_ends() -> None:
    began, pinned = datetime(2026, 1, 1, tzinfo=UTC), PinnedVersion(3, "3" * 64)
    known, book = Known(), ExperimentBook(lambda: round(began.timestamp() * 1000))
    variants = Variant("a", 500), Variant("b", 500)
    plain = Experiment(
        tenant="shop",
        experiment_id="e",
        terms=ExperimentTerms(variants, Metric.CLICKED),
        begun=Signed(began, "key"),
    )
    naming = msgspec.structs.replace(
        plain,
        terms=ExperimentTerms((variants[0], Variant("b", 500, model_version=3)), Metric.CLICKED),
        versions=(pinned,),
    )
    ended = msgspec.structs.replace(naming, ended=Signed(began, "key"))
    looked_up = []
    for one in (plain, naming, ended):
        take_experiment(replace(record(msgspec.json.encode(one)), key=b"shop:e"), book, known)
        looked_up.append(len(known.tenants))
        known.held = {pinned: NOTHING_SERVES} if one is naming else {}
    assert looked_up == [0, 1, 2]
    assert set(known.tenants) == {"shop"}


def told_of(tenant: str) -> dict[str, float]:
    counted = {
        sample.labels["decision"]: sample.value
        for metric in telemetry.ANNOUNCED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["tenant"] == tenant
    }
    at = telemetry.ANNOUNCED_SECONDS.labels(tenant, "embedding")._value.get()
    return {**counted, "at": at}


def test_versions_are_told_by_decision_for_a_trainer_that_may_have_ended() -> None:
    """What stood in the topic before tells when, and no more."""
    began_ms, known = NOON_MS, Known()
    for decision, log_ms in (("promoted", NOON_MS - 1), ("held", NOON_MS), ("held", NOON_MS + 5)):
        value = announced(tenant="told", decision=decision, promoted=decision == "promoted")
        take_announcement(record(value, log_ms=log_ms), "embedding", known, began_ms)
    assert told_of("told") == {
        "promoted": 0,
        "held": 2,
        "refused": 0,
        "at": (NOON_MS + 5) / 1000,
    }
