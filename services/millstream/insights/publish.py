"""The last stage: forecasts to their topic, under tenant:item."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from millstream.domain.demand import DemandForecast
from millstream.domain.identity import record_key

AT_ONCE = 500


class Producer(Protocol):
    async def send_and_wait(self, topic: str, value: bytes | None, key: bytes, /) -> object:
        """Returns once the broker has the record."""
        ...


async def publish(
    producer: Producer,
    topic: str,
    tenant: str,
    forecasts: Sequence[DemandForecast],
    gone: Collection[str],
) -> None:
    """Returns once the broker has all. Raises what the producer raises; what was sent by then
    stands."""
    records: list[tuple[bytes, bytes | None]] = [
        (record_key(tenant, forecast.item_id), msgspec.json.encode(forecast))
        for forecast in forecasts
    ]
    records += [(record_key(tenant, item_id), None) for item_id in sorted(gone)]
    for start in range(0, len(records), AT_ONCE):
        await asyncio.gather(
            *(
                producer.send_and_wait(topic, value, key)
                for key, value in records[start : start + AT_ONCE]
            )
        )
