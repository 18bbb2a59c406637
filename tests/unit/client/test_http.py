"""Over HTTP: batches, verdicts, waits as asked for, and no event that nobody hears of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import httpx
import pytest
from stamina import _core

from millstream.client import DeliveryFailed, InvalidEvent, OutboxFull, storefront
from millstream.client.http import AsyncHttpClient, HttpClient
from millstream.client.to_gateway import MAX_BATCH, MAX_BODY_BYTES
from millstream.domain.errors import Reason

URL = "https://gateway.example"
Answer = httpx.Response | Exception


def accepted(n: int) -> httpx.Response:
    return httpx.Response(202, json={"verdicts": [{"status": "accepted"}] * n})


def problem(status: int, detail: str = "so it is", **headers: str) -> httpx.Response:
    body = {"status": status, "title": "t", "detail": detail}
    return httpx.Response(status, json=body, headers=headers)


class Scripted:
    """A gateway that answers batches as a test says, in order, and after that accepts all."""

    def __init__(self) -> None:
        self.script: list[Answer | Callable[[list[Any]], Answer]] = []
        self.bodies: list[bytes] = []
        self.requests: list[httpx.Request] = []
        self.has: list[str] = []
        self.answers_key: Answer = httpx.Response(200, json={"tenant": "shop", "scopes": []})
        self.answers_list: list[Answer] = []
        self.is_blocked = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/v1/key":
            return given(self.answers_key)
        if request.method == "GET":
            return given(self.answers_list.pop(0))
        self.is_blocked.set()
        await self.goes_on.wait()
        self.bodies.append(request.content)
        [events] = json.loads(request.content).values()  # or reviews
        said = self.script.pop(0) if self.script else accepted(len(events))
        answered = given(said(events) if callable(said) else said)
        if answered.status_code == 202:
            verdicts = answered.json()["verdicts"]
            told = zip(events, verdicts, strict=False)
            self.has += [
                event.get("event_id") or event["review_id"]
                for event, one in told
                if one["status"] == "accepted"
            ]
        return answered

    @property
    def batches(self) -> list[list[str]]:
        return [[event["event_id"] for event in json.loads(b)["events"]] for b in self.bodies]


def given(answer: Answer) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    return answer


@pytest.fixture
def gateway() -> Scripted:
    return Scripted()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited between two attempts; takes no time."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(_core, "_smart_sleep", wait)
    return waited


def client(gateway: Scripted, **changes: Any) -> AsyncHttpClient:
    transport = httpx.MockTransport(gateway.answer)
    return AsyncHttpClient(URL, "the-key", transport=transport, **changes)


@asynccontextmanager
async def opened(gateway: Scripted, **changes: Any) -> AsyncIterator[AsyncHttpClient]:
    async with client(gateway, **changes) as shop:
        yield shop


def post(shop: AsyncHttpClient, *names: str, **more: Any) -> None:
    for name in names:
        shop.track_nowait("view_item", user_id="ann", items=["i1"], event_id=name, **more)


async def test_an_event_is_acknowledged_with_the_key_and_without_a_tenant(
    gateway: Scripted,
) -> None:
    async with opened(gateway) as shop:
        event = await shop.track("view_item", user_id="ann", items=["i1"])
        assert gateway.has == [event.event_id]
    [body] = gateway.bodies
    assert "tenant" not in json.loads(body)["events"][0], "it is the key's"
    assert {r.headers["authorization"] for r in gateway.requests} == {"Bearer the-key"}


async def test_batches_are_as_large_as_may_be_and_in_order(gateway: Scripted) -> None:
    names = [f"e{n}" for n in range(2 * MAX_BATCH + 7)]
    async with opened(gateway) as shop:
        post(shop, *names)
        await shop.flush()
        assert [len(batch) for batch in gateway.batches] == [MAX_BATCH, MAX_BATCH, 7]
        assert gateway.has == names


async def test_a_batch_has_no_more_bytes_than_a_gateway_takes(gateway: Scripted) -> None:
    wide = {str(n): "x" * 250 for n in range(60)}
    async with opened(gateway) as shop:
        names = [f"e{n}" for n in range(2 * MAX_BODY_BYTES // 15_000)]
        post(shop, *names, context=wide)
    assert gateway.has == names
    assert len(gateway.bodies) == 3
    assert max(map(len, gateway.bodies)) < MAX_BODY_BYTES + 2_000


async def test_each_event_hears_its_own_verdict(gateway: Scripted) -> None:
    def verdicts(events: list[Any]) -> httpx.Response:
        told = {
            "late": {"status": "refused", "reason": "late", "detail": "time is long ago"},
            "newer": {"status": "refused", "reason": "not_known_yet", "detail": "d"},
        }
        said = [told.get(event["event_id"], {"status": "accepted"}) for event in events]
        return httpx.Response(202, json={"accepted": 1, "refused": 2, "verdicts": said})

    gateway.script = [verdicts]
    async with opened(gateway) as shop:
        fields: Any = {"user_id": "ann", "items": ["i1"]}
        results = await asyncio.gather(
            *(shop.track("view_item", event_id=n, **fields) for n in ("late", "good", "newer")),
            return_exceptions=True,
        )
    late, good, newer = results
    assert isinstance(late, InvalidEvent)
    assert (late.reason, late.detail) == (Reason.LATE, "time is long ago")
    assert isinstance(newer, InvalidEvent)
    assert newer.reason == "not_known_yet"
    assert not isinstance(good, BaseException)
    assert gateway.has == ["good"]


async def test_what_is_refused_in_the_background_is_told_by_flush(gateway: Scripted) -> None:
    refused = {"status": "refused", "reason": "late", "detail": "too late"}
    gateway.script = [httpx.Response(202, json={"verdicts": [{"status": "accepted"}, refused]})]
    async with opened(gateway) as shop:
        post(shop, "good", "late")
        with pytest.raises(DeliveryFailed, match=r"1 events.*late: too late") as told:
            await shop.flush()
        assert [event.event_id for event in told.value.events] == ["late"]
        await shop.flush()


@pytest.mark.parametrize("status", [429, 503])
async def test_it_waits_as_long_as_it_is_told_and_sends_the_same(
    gateway: Scripted, waits: list[float], status: int
) -> None:
    gateway.script = [problem(status, **{"retry-after": "7"}), problem(status)]
    async with opened(gateway) as shop:
        await shop.track("view_item", user_id="ann", items=["i1"])
    assert len(gateway.bodies) == 3
    assert len(set(gateway.bodies)) == 1
    assert waits[0] == 7.0
    assert 0 < waits[1] <= 5.0, "without a word it backs off"


async def test_it_waits_until_a_date(gateway: Scripted, waits: list[float]) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    gateway.script = [problem(503, **{"retry-after": at})]
    async with opened(gateway) as shop:
        await shop.track("view_item", user_id="ann", items=["i1"])
    assert 25 < waits[0] <= 30


@pytest.mark.parametrize("word", ["soon", "-3", "1.5", "", "Mon, 99 Foo 2026"])
async def test_a_wait_that_does_not_read_is_none(
    gateway: Scripted, waits: list[float], word: str
) -> None:
    gateway.script = [problem(503, **{"retry-after": word})]
    async with opened(gateway) as shop:
        await shop.track("view_item", user_id="ann", items=["i1"])
    assert 0 < waits[0] <= 5.0


async def test_a_wait_beyond_patience_fails_at_once(gateway: Scripted, waits: list[float]) -> None:
    gateway.script = [problem(503, "Kafka is away", **{"retry-after": "3600"})]
    async with opened(gateway) as shop:
        with pytest.raises(DeliveryFailed, match="503 Kafka is away"):
            await shop.track("view_item", user_id="ann", items=["i1"])
        await shop.track("view_item", user_id="ann", items=["i1"], event_id="next")
    assert gateway.has == ["next"]
    assert not waits


async def test_a_batch_that_comes_to_nothing_is_told_with_its_events(
    gateway: Scripted, waits: list[float]
) -> None:
    gateway.script = [lambda _: httpx.ConnectError("away")] * 100_000
    async with opened(gateway, give_up_s=0.02) as shop:
        post(shop, "a", "b")
        with pytest.raises(DeliveryFailed, match=r"2 events.*no answer \(ConnectError\)") as told:
            await shop.flush()
        assert [event.event_id for event in told.value.events] == ["a", "b"]
        gateway.script.clear()
        post(shop, *(event.event_id for event in told.value.events))
    assert gateway.has == ["a", "b"]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404])
async def test_what_is_in_vain_is_not_tried_again(
    gateway: Scripted, waits: list[float], status: int
) -> None:
    gateway.script = [problem(status, "the reason")]
    async with opened(gateway) as shop:
        with pytest.raises(DeliveryFailed, match=f"{status} the reason"):
            await shop.track("view_item", user_id="ann", items=["i1"])
    assert not waits
    assert len(gateway.bodies) == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"verdicts": [{"status": "accepted"}]}'])
async def test_a_2xx_that_is_no_gateways_acknowledges_nothing(
    gateway: Scripted, body: bytes
) -> None:
    gateway.script = [httpx.Response(200, content=body)]
    async with opened(gateway) as shop:
        post(shop, "a", "b")
        with pytest.raises(DeliveryFailed, match="2 events"):
            await shop.flush()


async def test_a_gateway_that_takes_less_at_once_gets_less(gateway: Scripted) -> None:
    def narrow(events: list[Any]) -> Answer:
        big = len(events) > 2 or any(event["event_id"] == "huge" for event in events)
        return problem(413, "too much") if big else accepted(len(events))

    gateway.script = [narrow] * 100
    async with opened(gateway) as shop:
        post(shop, "a", "b", "c", "huge", "d", "e")
        with pytest.raises(DeliveryFailed, match=r"1 events.*too_large") as told:
            await shop.flush()
    assert [event.event_id for event in told.value.events] == ["huge"]
    assert gateway.has == ["a", "b", "c", "d", "e"]


async def test_a_full_outbox_says_so(gateway: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storefront, "OUTBOX_CAPACITY", 50)
    async with opened(gateway) as shop:
        gateway.goes_on.clear()
        names = [f"e{n}" for n in range(50)]
        post(shop, *names)
        with pytest.raises(OutboxFull, match="50 events wait"):
            post(shop, "over")
        gateway.goes_on.set()
        await shop.flush()
    assert gateway.has == names


async def test_closing_tells_what_was_not_sent(gateway: Scripted) -> None:
    shop = client(gateway)
    await shop.start()
    gateway.goes_on.clear()
    post(shop, "a")
    await gateway.is_blocked.wait()
    post(shop, "b")
    with pytest.raises(DeliveryFailed, match=r"2 events.*the client was closed") as told:
        await shop.close(timeout=0.0)
    assert sorted(event.event_id for event in told.value.events) == ["a", "b"]
    with pytest.raises(RuntimeError, match="not open"):
        post(shop, "c")


@pytest.mark.parametrize("seed", range(3))
async def test_each_event_is_there_or_told_of(
    gateway: Scripted, waits: list[float], seed: int
) -> None:
    """Whatever a gateway answers; an answer that is lost on its way back is the hard case."""
    random = Random(seed)

    def lost_answer(events: list[Any]) -> Answer:
        gateway.has += [event["event_id"] for event in events]
        return httpx.ReadTimeout("lost")

    def some(events: list[Any]) -> Answer:
        refused = {"status": "refused", "reason": "late", "detail": "d"}
        said = [refused if random.random() < 0.3 else {"status": "accepted"} for _ in events]
        return httpx.Response(202, json={"verdicts": said})

    answers: list[Any] = [lost_answer, some, problem(503), problem(413), problem(401), some]
    gateway.script = [random.choice(answers) for _ in range(200)]
    names = [f"e{n}" for n in range(300)]
    told: set[str] = set()
    async with opened(gateway, give_up_s=1e-9) as shop:
        for start in range(0, len(names), 30):
            post(shop, *names[start : start + 30])
            try:
                await shop.flush()
            except DeliveryFailed as failed:
                told |= {event.event_id for event in failed.events}
    assert told | set(gateway.has) == set(names)
    assert 0 < len(told) < len(names)


async def test_who_has_no_gateway_or_no_key_hears_it_at_the_start(gateway: Scripted) -> None:
    cases: list[tuple[Answer, type[Exception]]] = [
        (httpx.ConnectError("away"), ConnectionError),
        (problem(401, "an API key in force"), PermissionError),
        (problem(404), ConnectionError),
    ]
    for answer, error in cases:
        gateway.answers_key = answer
        with pytest.raises(error, match="the gateway"):
            await client(gateway).__aenter__()
    gateway.answers_key = problem(503)
    async with opened(gateway):
        pass


async def test_lists_are_read_again_until_there_is_one(
    gateway: Scripted, waits: list[float]
) -> None:
    item = {"item_id": "i1", "score": 0.5, "source": "covisited"}
    told = {"recommendation_id": "r", "model_version": "7", "variant": "try:one", "items": [item]}
    gateway.answers_list = [problem(429, **{"retry-after": "1"}), httpx.Response(200, json=told)]
    async with opened(gateway) as shop:
        found = await shop.recommendations("a/b", n=5)
    assert found is not None
    assert (found.recommendation_id, found.items[0].item_id, found.stale) == ("r", "i1", False)
    assert found.variant == "try:one"
    assert waits == [1.0]
    assert gateway.requests[-1].url.raw_path == b"/v1/recommendations/a%2Fb?n=5"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(503, **{"retry-after": "60"}), TimeoutError),
        (httpx.ConnectError("away"), TimeoutError),
        (problem(403, "scope lists:read"), PermissionError),
        (problem(400, "user: an id has"), ValueError),
        (httpx.Response(200, content=b"<html>"), ConnectionError),
    ],
)
async def test_why_there_is_no_list(
    gateway: Scripted, waits: list[float], answer: Answer, error: type[Exception]
) -> None:
    gateway.answers_list = [answer] * 100_000
    timeout = 0.02 if isinstance(answer, Exception) else 10.0
    async with opened(gateway) as shop:
        with pytest.raises(error):
            await shop.recommendations("ann", timeout=timeout)


def test_a_dry_run_judges_and_asks_nobody(gateway: Scripted) -> None:
    transport = httpx.MockTransport(gateway.answer)
    with HttpClient(URL, "the-key", transport=transport, dry_run=True) as shop:
        assert shop.track("view_item", user_id="ann", items=["i1"]).user_id == "ann"
        with pytest.raises(InvalidEvent):
            shop.track("view_item", user_id="ann")
        shop.track_nowait("view_item", user_id="ann", items=["i1"])
        assert shop.recommendations("ann") is None
        assert shop.review("mug", user_id="ann", text="fine").item_id == "mug"
    assert gateway.requests == []


def test_the_blocking_client_does_the_same(gateway: Scripted) -> None:
    transport = httpx.MockTransport(gateway.answer)
    with HttpClient(URL, "the-key", transport=transport) as shop:
        shop.track_nowait("view_item", user_id="ann", items=["i1"], event_id="a")
        shop.flush()
        shop.track("view_item", user_id="ann", items=["i1"], event_id="b")
        shop.review("mug", user_id="ann", text="fine", review_id="r")
    assert gateway.has == ["a", "b", "r"]


async def test_a_review_is_acknowledged_with_the_key_and_without_a_tenant(
    gateway: Scripted, waits: list[float]
) -> None:
    gateway.script = [problem(503, **{"retry-after": "7"})]
    async with opened(gateway) as shop:
        said = await shop.review("mug", user_id="ann", text="fine", rating=4)
    assert waits == [7.0]
    assert len(set(gateway.bodies)) == 1, "the same goes again"
    [sent] = json.loads(gateway.bodies[0])["reviews"]
    assert (sent["review_id"], sent["rating"]) == (said.review_id, 4)
    assert "tenant" not in sent
    assert {r.url.path for r in gateway.requests if r.method == "POST"} == {"/v1/reviews"}


async def test_a_review_that_is_not_taken_is_told_of(gateway: Scripted, waits: list[float]) -> None:
    refused = {"status": "refused", "reason": "not_known_yet", "detail": "d"}
    cases: list[tuple[Answer, type[Exception], str]] = [
        (httpx.Response(202, json={"verdicts": [refused]}), InvalidEvent, "not_known_yet: d"),
        (problem(413, "too much"), InvalidEvent, "too_large"),
        (problem(403, "scope events:write"), DeliveryFailed, "403 scope events:write"),
        (problem(503, "away", **{"retry-after": "3600"}), DeliveryFailed, "503 away"),
        (httpx.Response(200, content=b"<html>"), DeliveryFailed, "not what a gateway answers"),
    ]
    async with opened(gateway) as shop:
        for answer, error, words in cases:
            gateway.script = [answer]
            with pytest.raises(error, match=words):
                await shop.review("mug", user_id="ann", text="fine")
        sent = len(gateway.requests)
        with pytest.raises(InvalidEvent, match="title and text"):
            await shop.review("mug", user_id="ann")
        assert len(gateway.requests) == sent, "what is surely refused is not sent"
