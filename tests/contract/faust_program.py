"""Run by test_faust.py in a process of its own: Faust wants the main thread's loop.

Reads to `last` from `first`, goes back to `again` and reads to `last` once more, then fails. Each
line it prints is a JSON object: what `resume` was told, or the offsets of a chunk and what the next
fetch waits for."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import faust

from millstream.domain.log import Partition
from millstream.streaming.chunks import LogBounds
from millstream.streaming.transport.app import ChunkApp
from millstream.streaming.transport.consumer import ChunkConsumer


@dataclass
class Plan:
    broker: str
    group: str
    topic: str
    first: int
    again: int
    last: int
    session_s: float = 10.0
    resume_s: float = 0.0
    """How long it takes to say where to go on."""
    blocked_s: float = 0.0
    """For how long the first chunk keeps the main loop from running."""


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def build(plan: Plan) -> ChunkApp:
    starts = [plan.first, plan.again]
    blocks = [plan.blocked_s]

    async def resume(bounds: Mapping[Partition, LogBounds]) -> Mapping[Partition, int]:
        for (_, partition), found in bounds.items():
            tell(
                partition=partition,
                log_start=found.log_start,
                committed=found.committed,
                committed_in=found.committed_in,
            )
        await asyncio.sleep(plan.resume_s)
        return dict.fromkeys(bounds, starts[0])

    app = ChunkApp(plan.group, plan.topic, plan.broker, resume, session_timeout_s=plan.session_s)

    @app.agent(app.chunks(), name="reader")
    async def read(fetches: Any) -> None:
        async for [chunk] in fetches:
            fetcher = cast(ChunkConsumer, app.consumer)._thread._ensure_consumer()._fetcher
            tell(
                offsets=[record.offset for record in chunk.records],
                next_waits_ms=fetcher._fetch_max_wait_ms,
                next_waits_for_bytes=fetcher._fetch_min_bytes,
            )
            while blocks:
                time.sleep(blocks.pop())  # noqa: ASYNC251  as a long call into a library does
            if chunk.records[-1].offset == plan.last:
                starts.pop(0)
                if not starts:
                    raise RuntimeError("the agent fails on purpose")
                await app.rewind()

    return app


def main() -> None:
    app = build(Plan(**json.loads(sys.argv[1])))
    worker = faust.Worker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    try:
        worker.execute_from_commandline()
    finally:
        tell(stopped_by=str(app.stopped_by))


if __name__ == "__main__":
    main()
