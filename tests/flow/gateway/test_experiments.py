"""Experiments over HTTP: in force in the lists that workers make, counted by shopper and variant,
shown, ended."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.commands import Done, ran
from tests.flow.gateway.test_admin import admin_of
from tests.flow.gateway.test_attribution import said, send
from tests.flow.gateway.test_events import records_of
from tests.flow.gateway.test_page import item
from tests.flow.swapping import MODEL, SwappingTrainer
from tests.flow.swapping import TENANT as TRAINED
from tests.gateway import OTHER, TENANT, Gate, caller, key_for, variables_of

from millstream.client import AsyncClient
from millstream.domain.experiments import place_of
from millstream.gateway.api_keys import Scope
from millstream.local.ports import LOOPBACK, free_port
from millstream.privacy.key_files import rotate
from millstream.stores.redis import connect
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import RECOMMENDATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_FORCE_S = 3.0
NAME = "no-best-sellers"
TERMS: dict[str, Any] = {
    "variants": [
        {"name": "as-it-is", "share": 500},
        {"name": "none", "share": 500, "settings": {"popular_places": 0, "popular_items": 0}},
    ],
    "metric": "clicked",
    "days": 2,
    "note": "what becomes of the tail?",
}


async def begin(http: httpx.AsyncClient, name: str, **changes: Any) -> httpx.Response:
    return await http.put(f"/v1/experiments/{name}", json=TERMS | changes)


async def end(http: httpx.AsyncClient, name: str) -> httpx.Response:
    return await http.post("/v1/experiments:end", json={"experiment_id": name})


async def command(shop: Gate, *words: str, tenant: str = TENANT, **variables: str) -> Done:
    given = {**variables_of(shop.settings), **variables}
    return await ran("experiments", "show", "--tenant", tenant, *words, **given)


async def lists_of(shop: Gate) -> list[dict[str, Any]]:
    records = await records_of(shop, RECOMMENDATIONS)
    return [json.loads(value) for _, value in records if value is not None]


async def seconds_until_listed_as(shop: Gate, user: str, labels: set[str]) -> float:
    """By the list that a worker makes for one more event, and another, and so on."""
    settings, began, n = shop.settings, time.monotonic(), 0
    given = (settings.brokers, TENANT, settings.topic_prefix, settings.kafka_idempotence)
    async with AsyncClient(*given) as client:

        async def is_so() -> bool:
            nonlocal n
            n += 1
            seen = await client.track(
                "view_item", user_id=user, items=["tea"], event_id=f"{user}-{n}"
            )
            made = await client.recommendations(seen.shopper, after=seen, timeout=30)
            return bool(made is not None and made.variant in labels)

        await shop.until(is_so, "a list of the variant")
    return time.monotonic() - began


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(shop: Gate) -> Gate:
    """The shop with a recommender."""
    rotate(shop.settings.pseudonym_keys_dir, TRAINED)
    await shop.deployment.start("recommender")
    return shop


async def test_an_experiment_is_in_force_counted_and_ended(worker: Gate) -> None:
    shop = worker
    goods = [item(name) for name in ("tea", "pot", "cup", "jug")]
    await shop.http.put("/v1/items", json={"items": goods})
    counting = await shop.deployment.start("attribution")
    await seconds_until_listed_as(shop, "before", {"default"})

    begun = await begin(shop.http, NAME)
    assert begun.status_code == 200, begun.text
    assert begun.json()["running"]
    assert begun.json()["begun"]["key_note"] == "a test's"
    labels = {f"{NAME}:as-it-is", f"{NAME}:none"}
    assert await seconds_until_listed_as(shop, "during", labels) < IN_FORCE_S

    await send(shop, *(said(f"u{n}", "view_item", ["tea"], user=f"u{n}") for n in range(40)))
    shown: dict[str, Any] = {}

    async def are_counted() -> bool:
        nonlocal shown
        shown = (await shop.http.get(f"/v1/experiments/{NAME}")).json()
        return bool(sum(one["shoppers"] for one in shown["report"]["variants"]) >= 41)

    await shop.until(are_counted, "shoppers are counted by variant")
    made = [one for one in await lists_of(shop) if ":" in one["variant"]]
    variants = {
        name: [one for one in made if one["variant"] == f"{NAME}:{name}"]
        for name in ("as-it-is", "none")
    }
    told = {one["name"]: one["shoppers"] for one in shown["report"]["variants"]}
    assert told == {name: len({one["user"] for one in of}) for name, of in variants.items()}
    for name, of in variants.items():
        half = slice(0, 500) if name == "as-it-is" else slice(500, 1000)
        places = {place_of(TENANT, NAME, one["user"]) for one in of}
        assert places <= set(range(1000)[half]), "the same split wherever it is asked"
    assert {one["settings_digest"] for one in variants["as-it-is"]}.isdisjoint(
        {one["settings_digest"] for one in variants["none"]}
    )
    assert not any(
        place["source"] == "popular" for one in variants["none"] for place in one["items"]
    )
    assert shown["report"]["split"]["verdict"] == "fits"
    assert [one["decision"] for one in shown["report"]["variants"]] == ["control", "undecided"]
    assert not shown["report"]["may_stop"]
    assert shown["counted_to"] is not None

    asked = await command(shop, "--json")
    assert asked.code == 0, asked.err
    told_by_command = json.loads(asked.out)
    assert told_by_command.pop("counted_to") is not None
    assert told_by_command == {name: shown[name] for name in ("experiment", "report")}
    table = await command(shop, NAME)
    assert table.code == 0, table.err
    assert f"{NAME} of tenant {TENANT}: runs until" in table.out
    for name in ("as-it-is", "none", "compared with", "not decided yet"):
        assert name in table.out

    assert (await begin(shop.http, "another")).status_code == 409, "one at a time"
    ended = (await end(shop.http, NAME)).json()
    assert not ended["running"]
    assert ended["over_at"] == ended["ended"]["at"]
    assert await seconds_until_listed_as(shop, "after", {"default"}) < IN_FORCE_S
    assert (await end(shop.http, NAME)).status_code == 409
    assert (await begin(shop.http, NAME)).status_code == 409, "its name is taken for good"
    again = (await shop.http.get("/v1/experiments")).json()["experiments"]
    assert [one["experiment_id"] for one in again] == [NAME]
    counting.close()


@dataclass
class Trial:
    """Forty shoppers of the tenant whose models are at hand."""

    shop: Gate
    http: httpx.AsyncClient
    round: int = 0

    async def listed(self) -> dict[str, set[str]]:
        """By label the versions that made their newest lists, after an event of each."""
        self.round += 1
        sent = [said(f"v{n}-{self.round}", "view_item", ["i1"], user=f"v{n}") for n in range(40)]
        answer = await self.http.post("/v1/events", json={"events": sent})
        assert answer.json()["accepted"] == len(sent), answer.text
        newest: dict[str, dict[str, Any]] = {}

        async def are_all_out() -> bool:
            made = [one for one in await lists_of(self.shop) if one["tenant"] == TRAINED]
            newest.update({one["user"]: one for one in made})
            return len(made) >= 40 * self.round

        await self.shop.until(are_all_out, "a list for each of the events")
        found = defaultdict[str, set[str]](set)
        for one in newest.values():
            found[one["variant"]].add(one["model_version"])
        return found

    async def until_told(self, labels: dict[str, set[str]], path: str) -> None:
        """As `listed`, of what twenty shoppers get over HTTP."""

        async def is_so() -> bool:
            found = defaultdict[str, set[str]](set)
            for n in range(20):
                answer = await self.http.get(path.format(f"v{n}"))
                found[answer.json()["variant"]].add(answer.json()["model_version"])
            return found == labels

        await self.shop.until(is_so, f"lists of {labels} at {path}")

    async def until_listed_as(self, labels: set[str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}

        async def is_so() -> bool:
            nonlocal found
            found = await self.listed()
            return found.keys() == labels

        await self.shop.until(is_so, f"lists of {labels}")
        return found


async def test_each_variant_is_made_by_the_version_it_names(worker: Gate) -> None:
    shop, name = worker, "two-versions"
    redis = connect(shop.settings.redis_url)
    async with (
        producer_for(shop.settings, "test") as producer,
        admin_of(shop, TRAINED, Scope.EVENTS_WRITE) as http,
    ):
        trainer, trial = SwappingTrainer(shop.settings, redis, producer), Trial(shop, http)
        for _ in range(3):
            await trainer.swap()
        variants = [
            {"name": version, "share": 500, "model_version": n}
            for n, version in enumerate(("one", "two"), 1)
        ]
        for n, why in ((9, "cannot be read"), (3, "not signed by our key")):
            if n == 3:
                (trainer.registry.directory(TRAINED, MODEL, 3) / "manifest.sig").write_bytes(b"x")
            wrong = [variants[0], {"name": "wrong", "share": 500, "model_version": n}]
            refused = await begin(http, "wrong", variants=wrong)
            assert refused.status_code == 409
            assert f"version {n} of the model can't be used" in refused.json()["detail"]
            assert why in refused.json()["detail"]

        begun = await begin(http, name, variants=variants)
        assert begun.status_code == 200, begun.text
        labels = {f"{name}:one": {"embedding-v1"}, f"{name}:two": {"embedding-v2"}}
        assert await trial.until_listed_as(set(labels)) == labels
        serves = await trainer.swap()
        assert await trial.listed() == labels, "whatever serves meanwhile"
        await trial.until_told(labels, "/v1/recommendations/{}?n=10")
        await trial.until_told(labels, "/v1/recommendations/{}?n=30")  # made for the request
        await trial.until_told(labels, "/v1/previews?user={}")

        assert (await end(http, name)).status_code == 200
        assert await trial.until_listed_as({"default"}) == {"default": {f"embedding-v{serves}"}}
    await redis.aclose()


@pytest.mark.parametrize(
    ("name", "changes", "names"),
    [
        ("UPPER", {}, "experiment"),
        ("x", {"variants": TERMS["variants"][:1]}, "variants"),
        ("x", {"variants": [{"name": "a", "share": 600}, {"name": "b", "share": 600}]}, "shares"),
        ("x", {"variants": [{"name": "a", "share": 1}, {"name": "a", "share": 1}]}, "name"),
        ("x", {"metric": "happiness"}, "metric"),
        ("x", {"days": 29}, "days"),
        ("x", {"colour": "red"}, "colour"),
    ],
)
async def test_what_is_no_experiment_is_refused_and_named(
    shop: Gate, name: str, changes: dict[str, Any], names: str
) -> None:
    answer = await begin(shop.http, name, **changes)
    assert answer.status_code == 400
    assert names in answer.json()["detail"]


async def test_the_command_names_what_is_missing_and_what_to_do(shop: Gate) -> None:
    nothing = await command(shop, tenant="nobody")
    assert nothing.code == 2
    assert nothing.out == ""
    assert nothing.err.startswith("millstream: tenant nobody: got no experiment; expected one")
    assert nothing.err.count("\n") == 1, "one line"
    elsewhere = await command(shop, MILLSTREAM_TOPIC_PREFIX="never-made.")
    assert "topic never-made.reco.experiments.v1: got no such topic" in elsewhere.err
    assert "Run `millstream init`" in elsewhere.err
    away = f"{LOOPBACK}:{free_port()}"
    kafka = await command(shop, KAFKA_BOOTSTRAP_SERVERS=away)
    assert kafka.code == 2
    assert f"got {away}, where no broker answers" in kafka.err
    assert kafka.err.count("\n") == 1, "the libraries' own lines say no more"
    await begin(shop.http, "counted-nowhere")
    redis = await command(shop, REDIS_URL=f"redis://{away}/0")
    assert redis.code == 2
    assert redis.err.startswith("millstream: setting REDIS_URL: got a server that does not answer")


async def test_experiments_are_their_tenants_and_need_an_administrator(shop: Gate) -> None:
    reader = key_for(shop.settings, TENANT, Scope.LISTS_READ)
    stranger = key_for(shop.settings, OTHER)
    async with caller(shop.door, reader) as http, caller(shop.door, stranger) as other:

        async def are_known() -> bool:
            codes = [(await one.get("/v1/key")).status_code for one in (http, other)]
            return codes == [200, 200]

        await shop.until(are_known, "the new keys are in force")
        assert (await http.get("/v1/experiments")).status_code == 403
        assert (await begin(http, "theirs")).status_code == 403
        assert (await begin(other, "theirs")).status_code == 200, "beside what others run"
        assert (await shop.http.get("/v1/experiments/theirs")).status_code == 404
        assert (await end(shop.http, "theirs")).status_code == 404
        assert (await other.get("/v1/experiments/theirs")).status_code == 200
