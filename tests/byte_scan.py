"""Where a text stands, byte for byte: in topics, in Redis, in the lake's files, in any file.

Nothing is taken for granted of what Millstream writes: Parquet is searched as it lies there and
as it reads, since its pages are compressed."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import Any, cast

import polars as pl
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from millstream.streaming.topic_admin import partitions_of

IDLE_MS = 1000


def spellings(text: str) -> set[bytes]:
    """Plain, in hexadecimal of either case, and in base64 wherever it may begin in a longer text.
    The first and last characters of base64 depend on what is beside it, and are left out."""
    raw = text.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    for before in range(3):
        coded = base64.b64encode(b"\x00" * before + raw)[4 if before else 0 :]
        kept = coded.rstrip(b"=")[: -2 if coded.endswith(b"=") else None]
        found |= {kept, kept.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def found_in(parts: Iterable[bytes], texts: Collection[str]) -> set[str]:
    """Those of `texts` that stand in any of `parts`, in any spelling."""
    everything = b"\n".join(parts)
    return {text for text in texts if any(form in everything for form in spellings(text))}


def in_lake(root: Path) -> Iterable[bytes]:
    for path in root.rglob("*"):
        if path.is_file():
            yield str(path).encode()
            yield path.read_bytes()
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path, hive_partitioning=False)
            yield str(frame.to_dicts()).encode()
            yield str(pl.read_parquet_metadata(path)).encode()


async def in_topic(bootstrap_servers: str, topic: str) -> AsyncIterator[bytes]:
    """Key, value and headers of every record, until nothing has come for a while."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign(await partitions_of(bootstrap_servers, topic))
        while batches := await consumer.getmany(timeout_ms=IDLE_MS):
            for records in batches.values():
                for record in records:
                    yield record.key or b""
                    yield record.value or b""
                    for name, content in record.headers:
                        yield name.encode()
                        yield content or b""


async def in_redis(redis: Redis, prefix: str) -> AsyncIterator[tuple[bytes, bytes]]:
    """(key, all that it holds) of every key under the prefix. Not by DUMP, which compresses."""
    for key in [key async for key in redis.scan_iter(f"{prefix}*", count=1000)]:
        kind = cast(bytes, await redis.type(key)).decode()
        held = await _readers(redis)[kind](key)
        yield key, b"\n".join(_flat(held))


def _readers(redis: Redis) -> dict[str, Callable[[bytes], Awaitable[Any]]]:
    return {
        "string": redis.get,
        "hash": lambda key: cast(Awaitable[Any], redis.hgetall(key)),
        "set": lambda key: cast(Awaitable[Any], redis.smembers(key)),
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }


def _flat(held: Any) -> Iterable[bytes]:
    if isinstance(held, bytes):
        yield held
    elif isinstance(held, dict):
        for name, value in held.items():
            yield name
            yield value
    elif held is not None:
        for one in held:
            yield one if isinstance(one, bytes) else str(one).encode()
