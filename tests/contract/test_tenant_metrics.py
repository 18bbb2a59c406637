"""Every metric by tenant, whichever those are, tells of each what a recount of its own finds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from tests.builders import NOON_MS, record
from tests.contract.shared_worker import SHOPPING, Deed, Outcome, deeds_of, outcome
from tests.contract.trained_tenants import TENANTS, Trained, trained, url
from tests.effort import tries
from tests.metric_names import listed
from tests.unit.gateway.test_door import World

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import EventType
from millstream.domain.identity import record_key
from millstream.domain.models import Decision, ModelAnnouncement
from millstream.gateway.api_keys import Scope, create
from millstream.recommender.following import take_announcement
from millstream.settings import load
from millstream.stores.redis import connect
from millstream.trainer.ground import stand
from millstream.trainer.settings import TrainerSettings

__all__ = ["trained", "url"]  # fixtures, used by name
Labels = tuple[tuple[str, str], ...]
Told = Mapping[Labels, float]
OF_TENANTS = sorted(
    name
    for metrics in listed().values()
    for name, metric in metrics.items()
    if "tenant" in metric.labels
)
FLOOD = [
    *(Deed("a", "e0", f"flood-{n}", None, EventType.VIEW_ITEM, (0,)) for n in range(20)),
    Deed("b", "e0", "ann", None, EventType.VIEW_ITEM, (0,)),
]
"""More than the lists that a portion has room for, where a worker is behind."""
PORTION = 40


class Said(NamedTuple):
    """An announcement."""

    tenant: str
    model: str
    decision: Decision


class Heard(NamedTuple):
    """What happens: `promoted`, whose model serves; `training`, whose trainers of which model
    begin; `asking`, who asks the gateway for a list."""

    deeds: list[Deed]
    promoted: set[str]
    training: set[tuple[str, str]]
    said: list[Said]
    asking: list[str]


OF_ANY, OF_EITHER = st.sampled_from(TENANTS), st.sampled_from(["embedding", "sentiment"])
SAID = st.builds(Said, OF_ANY, OF_EITHER, st.sampled_from(Decision))
HEARD = st.builds(
    Heard,
    st.lists(deeds_of(SHOPPING), min_size=20, max_size=40),
    st.sets(OF_ANY),
    st.sets(st.tuples(OF_ANY, OF_EITHER)),
    st.lists(SAID, min_size=1, max_size=8),
    st.lists(OF_ANY, max_size=6),
)


def labels(**given: str) -> Labels:
    return tuple(sorted(given.items()))


def told(name: str) -> Told:
    """Zeros left out; of a histogram how many were observed. Nothing of who is not loaded here."""
    collector = REGISTRY._names_to_collectors.get(name)
    return {
        labels(**sample.labels): sample.value
        for metric in (collector.collect() if collector else ())
        for sample in metric.samples
        if sample.name in (name, f"{name}_count") and sample.value
    }


def forget() -> dict[str, Told]:
    """What is told already of those that can't be made to forget it."""
    for name in OF_TENANTS:
        if clear := getattr(REGISTRY._names_to_collectors.get(name), "clear", None):
            clear()
    return {name: told(name) for name in OF_TENANTS}


def events_recounted(deeds: Sequence[Deed], made: Outcome) -> dict[str, Counter[Labels]]:
    """What became of each record, and of lists that were owed how many did not go out."""
    seen, stocked = set[tuple[str, str, str]](), set[str]()
    records, given_up = Counter[Labels](), Counter[Labels]()
    for number, sent in enumerate(made.sent):
        portion = deeds[number * PORTION : (number + 1) * PORTION]
        stocked |= {deed.tenant for deed in portion if deed.kind is not None}
        owed = set[tuple[str, str]]()
        for deed in portion:
            name = (deed.tenant, deed.shopper, deed.event_id)
            counted = "duplicate" if name in seen else "accepted"
            verdict = "bad" if deed.kind is None else counted
            if verdict == "accepted":
                seen.add(name)
                owed.add(name[:2])
            if verdict != "bad" or deed.tenant in stocked:  # else nobody knows such a tenant
                records[labels(tenant=deed.tenant, verdict=verdict)] += 1
        out = {one.key for one in sent}
        for tenant, shopper in owed:
            if record_key(tenant, shopper) not in out:
                given_up[labels(tenant=tenant)] += 1
    return {
        "millstream_tenant_records_total": records,
        "millstream_lists_given_up_total": given_up,
    }


def models_recounted(trained: Trained, promoted: set[str]) -> dict[str, Told]:
    served = {labels(tenant=tenant): trained.versions[tenant][0] for tenant in promoted}
    return {
        "millstream_model_version": {of: one.version for of, one in served.items()},
        "millstream_model_created_seconds": {
            of: one.created_at.timestamp() for of, one in served.items()
        },
        "millstream_model_lines": {of: one.window.lines for of, one in served.items()},
    }


def announcements_recounted(said: Sequence[Said]) -> dict[str, Told]:
    """The first of them was no news."""
    named = [labels(**one._asdict() | {"decision": one.decision.value}) for one in said[1:]]
    last = {labels(tenant=one.tenant, model=one.model): n for n, one in enumerate(said)}
    return {
        "millstream_model_announcements_total": Counter(named),
        "millstream_model_announced_seconds": {of: NOON_MS / 1000 + n for of, n in last.items()},
    }


async def announce(said: Sequence[Said], trained: Trained) -> None:
    models = await trained.serving(())
    for n, one in enumerate(said):
        what = ModelAnnouncement(
            tenant=one.tenant,
            model=one.model,
            version=1,
            manifest_sha256="0" * 64,
            promoted=one.decision is Decision.PROMOTED,
            verdict="",
            metrics={},
            created_at=as_datetime(NOON_MS),
            decision=one.decision,
        )
        told_at = record(msgspec.json.encode(what), n, log_ms=NOON_MS + 1000 * n)
        take_announcement(told_at, "embedding", models, NOON_MS + 1)


async def begin_training(training: Collection[tuple[str, str]], home: Path) -> None:
    """Each says whose it is, and ends, since `home` has no key."""
    for tenant, model in training:
        trainer = load(TrainerSettings, tenant=tenant, model_name=model, keys_dir=home)
        with pytest.raises(OperatorError, match="key"):
            async with stand(trainer):
                pass


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, str]]:
    """With a key for each tenant."""
    world = World(tmp_path_factory.mktemp("keys") / "keys.json")
    reads = (Scope.LISTS_READ,)
    return world, {
        tenant: create(world.path, tenant, reads, "", wall_clock)[1] for tenant in TENANTS
    }


async def ask(door: tuple[World, dict[str, str]], asking: Sequence[str]) -> None:
    world, keys = door
    transport = httpx.ASGITransport(world.door())
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        for tenant in asking:
            headers = {"authorization": f"Bearer {keys[tenant]}"}
            answer = await http.get("/v1/recommendations/ann", headers=headers)
            assert answer.status_code == 200


@settings(
    max_examples=tries(50),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes minutes
)
@given(HEARD)
def test_what_is_told_of_a_tenant_is_what_was_its_own(
    url: str, trained: Trained, door: tuple[World, dict[str, str]], heard: Heard
) -> None:
    before, deeds = forget(), [*FLOOD, *heard.deeds]

    async def tried() -> Outcome:
        await announce(heard.said, trained)
        await begin_training(heard.training, door[0].path.parent)
        await ask(door, heard.asking)
        async with connect(url) as redis:
            models = await trained.serving(heard.promoted)
            return await outcome(redis, deeds, PORTION, models, fair_after_ms=1)

    made = asyncio.run(tried())
    recounted: dict[str, Told] = {
        **events_recounted(deeds, made),
        **models_recounted(trained, heard.promoted),
        **announcements_recounted(heard.said),
        "millstream_trainer_info": {
            labels(tenant=tenant, model=model): 1 for tenant, model in heard.training
        },
        "millstream_gateway_list_seconds": Counter(labels(tenant=of) for of in heard.asking),
    }
    assert sorted(recounted) == OF_TENANTS, "a metric by tenant is to be recounted here"
    assert sum(recounted["millstream_lists_given_up_total"].values())
    for name, wanted in recounted.items():
        found = {of: n - before[name].get(of, 0) for of, n in told(name).items()}
        assert {of: n for of, n in found.items() if n} == wanted, name
