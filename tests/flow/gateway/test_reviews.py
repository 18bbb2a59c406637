"""Reviews in by HTTP: judged one by one, acknowledged once Kafka has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.flow.gateway.test_events import frozen, kafka_is_ready, records_of
from tests.gateway import TENANT, Gate, caller, gate, key_for

from millstream.client import InvalidEvent
from millstream.client.http import AsyncHttpClient
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.identity import record_key
from millstream.domain.reviews import Review, decode_review
from millstream.gateway.api_keys import Scope
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.key_files import newest
from millstream.streaming.topics import REVIEW_LETTERS, REVIEWS

PATH = "/v1/reviews"


def said(**fields: Any) -> dict[str, Any]:
    return {
        "review_id": str(uuid4()),
        "item_id": "mug",
        "time": as_datetime(wall_clock()).isoformat(),
        "user_id": "ann",
        "text": "sturdy, and ann likes it",
        **fields,
    }


async def reviews_in(shop: Gate) -> list[tuple[bytes, Review]]:
    found = await records_of(shop, REVIEWS)
    return [(key, decode_review(value, wall_clock())) for key, value in found]


async def test_a_review_is_on_the_topic_once_it_is_acknowledged(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    async with gate(tansu, valkey, tmp_path) as shop:
        answer = await shop.http.post(PATH, json=said(review_id="r-1", rating=5))
        assert (answer.status_code, answer.json()) == (
            202,
            {"accepted": 1, "refused": 0, "verdicts": [{"status": "accepted"}]},
        )
        [(key, review)] = await reviews_in(shop)
        who = newest(TENANT, shop.settings.pseudonym_keys_dir).shopper("ann")
        assert (key, review.user_id, review.tenant) == (record_key(TENANT, who), who, TENANT)
        assert (review.text, review.rating) == ("sturdy, and * likes it", 5)
        assert review.review_id != "r-1"


async def test_each_review_of_a_batch_has_its_verdict_and_what_is_refused_goes_nowhere(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    spoilt: dict[int, tuple[dict[str, Any], str]] = {
        3: ({"user_id": None}, "missing_field"),
        70: ({"tenant": "other-shop"}, "bad_id"),
        144: ({"text": "", "title": " "}, "missing_field"),
        301: ({"time": "2099-01-01T00:00:00Z"}, "future_time"),
        499: ({"text": "x" * 20_000}, "out_of_range"),
    }
    batch = [said(user_id=f"u{n}") for n in range(500)]
    for place, (change, _) in spoilt.items():
        batch[place] = {**batch[place], **change}
    async with gate(tansu, valkey, tmp_path) as shop:
        answer = await shop.http.post(PATH, json={"reviews": batch})
        assert answer.status_code == 202
        told = answer.json()
        assert (told["accepted"], told["refused"]) == (495, 5)
        refused = {n: v["reason"] for n, v in enumerate(told["verdicts"]) if "reason" in v}
        assert refused == {place: reason for place, (_, reason) in spoilt.items()}
        assert len(await reviews_in(shop)) == 495
        assert await records_of(shop, REVIEW_LETTERS) == []


async def test_what_is_no_batch_or_no_writers_is_refused_whole(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    changes = {"gateway_max_body_bytes": 200_000, "gateway_events_per_second": 500}
    async with gate(tansu, valkey, tmp_path, **changes) as shop:
        for body in (b"", b"{", b"[]", b'{"reviews": []}', b"[" * 50_000):
            answer = await shop.http.post(PATH, content=body)
            assert answer.status_code == 400, body[:40]
        many = [said(text="fine")] * 501
        assert (await shop.http.post(PATH, json={"reviews": many})).status_code == 400
        assert (await shop.http.post(PATH, content=b" " * 200_001)).status_code == 413
        reading = key_for(shop.settings, TENANT, Scope.LISTS_READ)

        async def is_known() -> bool:
            async with caller(shop.door, reading) as http:
                return (await http.get("/v1/key")).status_code == 200

        await shop.until(is_known, "a new key is in force")
        async with caller(shop.door, reading) as http:
            assert (await http.post(PATH, json=said())).status_code == 403
        async with caller(shop.door, None) as http:
            assert (await http.post(PATH, json=said())).status_code == 401
        tiny = [{"review_id": "r"}] * 500  # judged, each refused, and paid for
        statuses = [
            (await shop.http.post(PATH, json={"reviews": tiny})).status_code for _ in range(3)
        ]
        assert 429 in statuses
        assert await records_of(shop, REVIEWS) == []


async def test_while_the_broker_is_away_nothing_is_acknowledged_and_then_nothing_is_lost(
    valkey: Valkey, tmp_path: Path
) -> None:
    with Tansu() as broker:
        async with gate(broker, valkey, tmp_path, gateway_ack_seconds=0.5) as shop:
            unsure = [said(user_id=f"u{n}", review_id=f"r{n}") for n in range(10)]
            async with frozen(broker):
                away = [await shop.http.post(PATH, json=one) for one in unsure]
                assert {answer.status_code for answer in away} == {503}
                assert all(int(answer.headers["retry-after"]) > 0 for answer in away)
            await kafka_is_ready(shop, wanted=True)
            for one in unsure:
                assert (await shop.http.post(PATH, json=one)).status_code == 202
            pseudonyms = newest(TENANT, shop.settings.pseudonym_keys_dir)
            wanted = {pseudonyms.shopper(f"u{n}") for n in range(10)}
            assert {review.user_id for _, review in await reviews_in(shop)} == wanted


async def test_the_client_sends_reviews_and_hears_what_is_refused(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    async with gate(tansu, valkey, tmp_path) as shop:
        transport = httpx.ASGITransport(shop.door)
        async with AsyncHttpClient("http://gateway", shop.token, transport=transport) as front:
            sent = await front.review("mug", user_id="ann", title="Fine", review_id="r-1")
            assert (sent.review_id, sent.title) == ("r-1", "Fine")
            with pytest.raises(InvalidEvent, match="title and text"):
                await front.review("mug", user_id="ann")
        [(_, review)] = await reviews_in(shop)
        assert (review.item_id, review.title) == ("mug", "Fine")
