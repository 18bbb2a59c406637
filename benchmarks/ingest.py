"""`millstream bench ingest`: the Faust worker with exact counts against the bare loop.

One topic of events that happened an hour ago is read several times: in each round once by
`bare_ingest.py` and once by the real `millstream recommender` process, alone in its group, each
into keys of its own in the same Redis. Past its freshness bound the recommender counts and
derives, but publishes nothing.

Both sides are watched in the same way, from outside, by the ledger in Redis: a side's time runs
from when WARM of the events stand counted there to when all do. So the start of the process, the
join of the group and the first chunks are left out. Rates are the events counted in that time by
it, over all rounds. `bare_cpu_us_per_event` is the CPU time, user and system, of the bare process
from its first chunk on, over its events. At the end both sides must have counted every event
once, and have the same counts for every shopper; else an OperatorError tells it.

Beside them a plain Faust agent (per_event_agent.py) that takes events one by one and does the same
work for each; it is watched over the first AGENT_SHARE of the events, and then ended."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.bare_ingest import Job, Used
from benchmarks.machine import machine
from benchmarks.made_events import Load, fill
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import Progress, TaskID

from millstream.domain.acceptance import HORIZON_MS, WINDOW_MS
from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import MAX_RECORD_BYTES, TYPE_ORDER
from millstream.features.state import PROGRAM
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, deployed
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.feature_store import MAX_EVENT_IDS, FeatureStore
from millstream.stores.inventory import shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect, fix_slots
from millstream.streaming.chunks import FETCH_WAIT_MS
from millstream.streaming.topics import EVENTS

WARM = 0.1
POLL_S = 0.05
DEADLINE_S = 240.0
AGE_MS = 3_600_000
FRESHNESS_SECONDS = 60
AGENT_SHARE = 0.2
BARE = Path(__file__).with_name("bare_ingest.py")
AGENT = "benchmarks.per_event_agent"
ROOT = Path(__file__).parents[1]


@dataclass
class Side:
    """What one of them did, summed over the rounds."""

    events: int = 0
    seconds: float = 0.0
    per_round: list[float] = field(default_factory=list)

    def add(self, events: int, seconds: float) -> None:
        self.events += events
        self.seconds += seconds
        self.per_round.append(round(events / seconds, 1))

    @property
    def rate(self) -> float:
        return self.events / self.seconds


@dataclass
class Bench:
    deployment: Deployment
    redis: Redis
    load: Load
    ends: dict[int, int]
    progress: Progress
    faust: Side = field(default_factory=Side)
    bare: Side = field(default_factory=Side)
    agent: Side = field(default_factory=Side)
    bare_cpu_s: float = 0.0
    bare_events: int = 0

    async def round(self, number: int) -> None:
        first = self.deployment.settings.redis_prefix
        prefixes = [f"{first}{number}:{who}:" for who in ("b", "f", "a")]
        for prefix in prefixes:
            await fix_slots(self.redis, Keys(prefix), DEFAULT_SLOTS)
        await self._run_bare(prefixes[0], self._task(f"bare loop, round {number}"))
        await self._run_faust(prefixes[1], number, self._task(f"Faust worker, round {number}"))
        await self._run_agent(prefixes[2], number, self._task(f"per-event agent, round {number}"))
        both = prefixes[:2]
        counts = [await shopper_counts(self.redis, Keys(p), DEFAULT_SLOTS) for p in both]
        if counts[0] != counts[1] or counts[0].total() != self.load.events:
            raise OperatorError("the two sides", "different counts", "the same for every shopper")

    async def _run_bare(self, prefix: str, task: TaskID) -> None:
        async with self._program([str(BARE)], prefix) as process:
            await self._watch(prefix, self.bare, task, lambda: process.returncode in (None, 0))
            out, _ = await process.communicate()
        used = msgspec.json.decode(out, type=Used)
        self.bare_cpu_s += used.cpu_s
        self.bare_events += used.events

    async def _run_agent(self, prefix: str, number: int, task: TaskID) -> None:
        async with self._program(["-m", AGENT], prefix, f"agent-{number}") as process:
            enough = max(1, int(AGENT_SHARE * self.load.events))
            await self._watch(prefix, self.agent, task, lambda: process.returncode is None, enough)

    @asynccontextmanager
    async def _program(
        self, program: Sequence[str], prefix: str, *words: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """On leaving it is killed, if it has not ended."""
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(msgspec.json.encode(self._job(prefix)))
            file.flush()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *program, file.name, *words),
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
            )
            try:
                yield process
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def _run_faust(self, prefix: str, number: int, task: TaskID) -> None:
        process = await self.deployment.start(
            "recommender",
            redis_prefix=prefix,
            group=f"bench-{number}",
            freshness_seconds=FRESHNESS_SECONDS,
        )
        try:
            await self._watch(prefix, self.faust, task, lambda: process.alive)
        except OperatorError as error:
            raise OperatorError(
                "the recommender", str(error), "one that goes on", process.log_tail()
            ) from error
        finally:
            await asyncio.to_thread(process.stop)

    async def _watch(
        self,
        prefix: str,
        side: Side,
        task: TaskID,
        alive: Callable[[], bool],
        enough: int | None = None,
    ) -> None:
        """Until the ledger holds every event, or `enough` of them. Raises OperatorError where the
        process ends before, where it takes too long, or where anything but accepted events was
        counted."""
        wanted = enough or self.load.events
        store = FeatureStore(self.redis, Keys(prefix), DEFAULT_SLOTS, len(self.ends))
        deadline = time.monotonic() + DEADLINE_S
        since: tuple[float, int] | None = None
        while True:
            ledger = await store.ledger()
            now, counted = time.monotonic(), ledger["acc"]
            self.progress.update(task, completed=counted)
            if since is None and counted >= WARM * wanted:
                since = (now, counted)
            if counted >= wanted and since is not None and counted > since[1]:
                break
            if not alive() or now > deadline or counted > self.load.events:
                raise OperatorError("the run", f"{ledger}", f"{wanted} accepted events")
            await asyncio.sleep(POLL_S)
        refused = {name: n for name, n in ledger.items() if n and name not in ("acc", "itm")}
        if refused:
            raise OperatorError("the ledger", f"{refused}", "accepted events alone")
        side.add(counted - since[1], now - since[0])

    def _job(self, prefix: str) -> Job:
        settings = self.deployment.settings
        return Job(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            topic=settings.topic(EVENTS),
            ends=self.ends,
            redis_url=settings.redis_url,
            redis_prefix=prefix,
            slots=DEFAULT_SLOTS,
            chunk_events=RecommenderSettings.model_fields["chunk_events"].default,
            limits=msgspec.msgpack.encode([WINDOW_MS, MAX_EVENT_IDS, len(self.ends)]),
            program=PROGRAM,
            types=tuple(TYPE_ORDER),
            max_record_bytes=MAX_RECORD_BYTES,
            horizon_ms=HORIZON_MS,
            fetch_wait_ms=FETCH_WAIT_MS,
        )

    def _task(self, name: str) -> TaskID:
        return self.progress.add_task(name, total=self.load.events)

    def result(self) -> dict[str, Any]:
        return {
            "faust_events_per_s": round(self.faust.rate, 1),
            "bare_events_per_s": round(self.bare.rate, 1),
            "bare_cpu_us_per_event": round(1e6 * self.bare_cpu_s / self.bare_events, 2),
            "ratio": round(self.faust.rate / self.bare.rate, 4),
            "per_event_agent_events_per_s": round(self.agent.rate, 1),
            "times_per_event_agent": round(self.faust.rate / self.agent.rate, 2),
            "faust_rounds": self.faust.per_round,
            "bare_rounds": self.bare.per_round,
            "per_event_agent_rounds": self.agent.per_round,
            "events": self.load.events,
            "shoppers": self.load.shoppers,
        }


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, load: Load, rounds: int, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where a side fails or the two disagree."""
    facts = machine()
    with Progress(console=console, transient=True) as progress:
        async with deployed(kafka, redis) as deployment:
            client = connect(redis.url)
            try:
                sending = progress.add_task("sending the events", total=load.events)
                ends = await fill(
                    deployment.settings,
                    load,
                    wall_clock() - AGE_MS,
                    lambda n: progress.update(sending, completed=n),
                )
                run = Bench(deployment, client, load, ends, progress)
                for number in range(1, rounds + 1):
                    await run.round(number)
            finally:
                await client.aclose()
    return {"broker": kafka.name, **run.result(), "redis": redis.name, **facts}


def main(broker: str, load: Load, rounds: int, console: Console) -> dict[str, Any]:
    """Starts what is missing: `broker` "tansu" or "apache", unless the environment names one."""
    with (
        brokers.kafka("apache" if broker == "apache" else "tansu") as kafka,
        brokers.redis() as redis,
    ):
        return asyncio.run(bench(kafka, redis, load, rounds, console))
