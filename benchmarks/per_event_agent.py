"""What `millstream bench ingest` is compared with beside the bare loop: a Faust agent as the
documentation of Faust shows it, one event at a time.

A plain faust.App with its defaults, apart from bytes as values and no web server. For each event it
does the work of the bare loop on a range of one record: the same decode, and one call of
`recs_apply_v2` from where its slot's last call ended up to behind this event.

python -m benchmarks.per_event_agent job.json group: reads until it is ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple, cast

import faust
import msgspec
from benchmarks.bare_ingest import BareLoop, Job, Record
from redis.asyncio import Redis


class PlainRecord(NamedTuple):
    """What the bare loop reads of a record; `timestamp` in ms."""

    offset: int
    timestamp: int
    value: bytes | None


def build(job: Job, group: str) -> faust.App:
    app = faust.App(
        group,
        broker=f"kafka://{job.bootstrap_servers}",
        topic_disable_leader=True,  # its topic, which nobody reads, would have to exist
        web_enabled=False,
    )
    topic = app.topic(job.topic, key_serializer="raw", value_serializer="raw")
    loop = BareLoop(job, Redis.from_url(job.redis_url))

    @app.agent(topic)
    async def count(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            milliseconds = round(message.timestamp * 1000)
            record = PlainRecord(message.offset, milliseconds, message.value)
            await loop.take(message.partition, [cast(Record, record)])

    return app


def main() -> None:
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    app = build(job, f"{job.topic}.{sys.argv[2]}")
    faust.Worker(app, loglevel="WARN", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
