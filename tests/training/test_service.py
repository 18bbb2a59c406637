"""The loop trains when the lake has enough and ends when told, also in the middle of work."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from aiokafka.structs import ConsumerRecord
from tests.training.outlets import EMBEDDING, outlet_in
from tests.unit.stores.test_experiment_book import Hour, take, trying
from tests.unit.streaming.test_followers import BrokenConsumer

from millstream.domain.clock import as_datetime
from millstream.domain.experiments import PinnedVersion
from millstream.domain.models import TrainingRequest
from millstream.domain.training import Step
from millstream.model.manifest import Manifest
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity
from millstream.ranking.settings import RankingSettings
from millstream.stores.experiment_book import ExperimentBook
from millstream.streaming.followers import Follower
from millstream.streaming.offload import offload
from millstream.trainer import service, telemetry
from millstream.trainer.collect import collect
from millstream.trainer.encode import Interactions
from millstream.trainer.fit_blend import Examples, joined
from millstream.trainer.fitting import Fit, Fitted, Stopped, Watch
from millstream.trainer.requests import take_request
from millstream.trainer.settings import TrainerSettings, Training
from millstream.trainer.split import Query
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Trigger
from millstream.trainer.turn import turn
from millstream.trainer.whole_list import Lists, RankedLists
from millstream.trainer.wiring import named_by, resumed_trigger


@dataclass
class GrowingLake:
    lines: pl.DataFrame
    height: int
    asked: list[int | None] = field(default_factory=list)

    def accepted(self, since_log_ms: int | None) -> pl.DataFrame:
        self.asked.append(since_log_ms)
        lines = self.lines[: self.height]
        return lines if since_log_ms is None else lines.filter(pl.col("log_ms") >= since_log_ms)

    def newest_log_ms(self) -> int | None:
        return int(self.lines["log_ms"][self.height - 1]) if self.height else None

    def offsets(self) -> dict[int, int]:
        return {0: self.height // 2}


@dataclass
class Wires:
    """Pointer and producer in one; tells when a version was announced."""

    current: tuple[int, str] | None = None
    announced: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, _tenant: str, _model: str) -> tuple[int, str] | None:
        return self.current

    async def promote(
        self, _tenant: str, _model: str, version: int, sha: str, _expected: int | None
    ) -> bool:
        self.current = (version, sha)
        return True

    async def before(self, _tenant: str, _model: str) -> tuple[tuple[int, str], ...]:
        return ()

    async def choose(self, *_: object) -> bool:
        raise NotImplementedError("an operator's, not a trainer's")

    go_back = choose

    async def send_and_wait(self, _topic: str, _value: bytes, _key: bytes) -> object:
        self.announced.set()
        return None


class NoLists:
    def standing(self, _before: pl.DataFrame) -> Lists:
        return self

    def bounded(self, _popular_places: int) -> Lists:
        return self

    def learn(self, _lines: pl.DataFrame) -> None:
        """It sells what it sells."""

    def examples(self, _queries: Sequence[Query], _scorer: Scorer) -> Examples:
        return joined([])

    def __call__(self, queries: Sequence[Query], _scorer: Scorer) -> list[list[str]]:
        return [[] for _ in queries]


def tools_with(tmp_path: Path, fit: Fit, wires: Wires, told: threading.Event) -> Tools:
    return Tools(
        settings=TrainerSettings(dimensions=4, poll_s=0.01),
        fit=fit,
        whole_lists=NoLists(),
        hidden=frozenset,
        outlet=outlet_in(tmp_path, EMBEDDING, wires, wires),
        clock=lambda: 1_770_000_000_000,
        stop=told.is_set,
    )


async def serving(
    lake: GrowingLake, trigger: Trigger, tools: Tools, stop: asyncio.Event, *, once: bool = False
) -> None:
    look = partial(turn, lake, trigger, tools)
    await service.serve(look, tools.settings.poll_s, stop, once=once)


async def test_versions_come_as_the_lake_grows(
    tmp_path: Path, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    wires, stop = Wires(), asyncio.Event()
    lake = GrowingLake(two_tastes, 0)
    tools = tools_with(tmp_path, factorise, wires, threading.Event())
    loop = asyncio.create_task(serving(lake, Trigger(1000, 1400), tools, stop))
    lake.height = 1000
    await asyncio.wait_for(wires.announced.wait(), 20)
    assert tools.outlet.registry.versions("default", "embedding") == [1]
    wires.announced.clear()
    lake.height = 2400
    await asyncio.wait_for(wires.announced.wait(), 20)
    stop.set()
    await asyncio.wait_for(loop, 5)
    assert tools.outlet.registry.versions("default", "embedding") == [1, 2]
    resumed = resumed_trigger(tools)
    assert (resumed.trained_to_ms, resumed.trained_records) == (two_tastes["log_ms"][-1], 1200)
    assert resumed.wanted == tools.settings.every_lines
    last = tools.progress.state.last
    assert last is not None
    assert (last.version, tools.progress.state.step) == (2, Step.WAITING)
    assert tools.progress.state.done == 1


async def test_once_trains_if_a_version_is_due_and_ends(
    tmp_path: Path, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    wires, never = Wires(), asyncio.Event()
    tools = tools_with(tmp_path, factorise, wires, threading.Event())
    settings = tools.settings.model_copy(update={"first_after_lines": 1000, "every_lines": 1400})
    tools = replace(tools, settings=settings)
    for height, versions in ((900, []), (1000, [1]), (1000, [1])):
        lake, trigger = GrowingLake(two_tastes, height), resumed_trigger(tools)
        await asyncio.wait_for(serving(lake, trigger, tools, never, once=True), 20)
        assert tools.outlet.registry.versions("default", "embedding") == versions


async def test_a_window_that_no_longer_grows_does_not_end_the_training(
    tmp_path: Path, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    """A day has 80 lines: the window of ten days holds no more than the first version had, and
    fewer than the second one waits for."""
    wires, stop = Wires(), asyncio.Event()
    lake = GrowingLake(two_tastes, 800)
    tools = tools_with(tmp_path, factorise, wires, threading.Event())
    settings = tools.settings.model_copy(update={"window_days": 10.0, "every_lines": 1200})
    tools = replace(tools, settings=settings)
    loop = asyncio.create_task(serving(lake, Trigger(700, 1200), tools, stop))
    await asyncio.wait_for(wires.announced.wait(), 20)
    wires.announced.clear()
    lake.height = 2000
    await asyncio.wait_for(wires.announced.wait(), 20)
    stop.set()
    await asyncio.wait_for(loop, 5)
    assert tools.outlet.registry.versions("default", "embedding") == [1, 2]

    resumed = resumed_trigger(tools)
    lake.height = 2040
    found = collect(lake, 10.0, resumed.trained_to_ms)
    assert found.count_new(settings.counted_types) == 40
    assert found.window.lines["log_ms"][0] >= two_tastes["log_ms"][2039] - 10 * 86_400_000


async def next_version(tools: Tools, wires: Wires, version: int) -> Manifest:
    await asyncio.wait_for(wires.announced.wait(), 20)
    wires.announced.clear()
    wanted = Identity("default", "embedding", version)
    shown = tools.outlet.registry.show(tools.outlet.public_key, wanted)
    assert isinstance(shown, Manifest)
    return shown


async def test_it_trains_when_asked_and_when_time_is_up(
    tmp_path: Path, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    wires, stop, trigger = Wires(), asyncio.Event(), Trigger(1000, 10**6, every_ms=60_000)
    lake, now = GrowingLake(two_tastes, 1000), [1_770_000_000_000]
    tools = tools_with(tmp_path, factorise, wires, threading.Event())
    tools = replace(tools, clock=lambda: now[0])
    loop = asyncio.create_task(serving(lake, trigger, tools, stop))
    first = await next_version(tools, wires, 1)
    now[0] += 1000
    request = TrainingRequest(tenant="default", model="embedding", requested_at=as_datetime(now[0]))
    for model in ("another", "embedding"):
        value = msgspec.json.encode(msgspec.structs.replace(request, model=model))
        take_request(consumed(value), ("default", "embedding"), trigger)
    take_request(consumed(b"{"), ("default", "embedding"), trigger)
    second = await next_version(tools, wires, 2)
    lake.height = 1100
    now[0] += 60_000
    third = await next_version(tools, wires, 3)
    stop.set()
    await asyncio.wait_for(loop, 5)
    occasions = [manifest.occasion for manifest in (first, second, third)]
    assert [occasion and occasion.why for occasion in occasions] == ["lines", "asked", "time"]


def consumed(value: bytes) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord("reco.training.v1", 0, 0, 0, 0, b"key", value, None, 0, len(value), ())


async def test_drift_makes_a_version_before_the_lines_do(
    tmp_path: Path, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    """In the last third everybody buys what nobody bought before."""
    moved = two_tastes.with_columns(
        item=pl.when(pl.int_range(pl.len()) >= 1600).then("new-" + pl.col("item")).otherwise("item")
    )
    wires, stop = Wires(), asyncio.Event()
    lake, trigger = GrowingLake(moved, 1600), Trigger(1000, 10**6, drift_looks=100)
    tools = tools_with(tmp_path, factorise, wires, threading.Event())
    lists = RankedLists("default", RankingSettings(), dict)
    settings = tools.settings.model_copy(update={"drift_psi": 0.25, "recent_items": 4})
    tools = replace(tools, settings=settings, whole_lists=lists)
    loop = asyncio.create_task(serving(lake, trigger, tools, stop))
    await next_version(tools, wires, 1)
    assert wires.current is not None
    lake.height = 2400
    second = await next_version(tools, wires, 2)
    stop.set()
    await asyncio.wait_for(loop, 5)
    assert second.occasion is not None
    assert second.occasion.why == "drift"
    assert second.occasion.drift["item"] > 0.25 > second.occasion.drift["type"]
    told = {
        sample.labels["input"]: sample.value
        for metric in telemetry.DRIFT.collect()
        for sample in metric.samples
        if sample.labels["model"] == settings.model_name
    }
    assert told == second.occasion.drift, "as it was before that training"


async def test_it_ends_in_the_middle_of_training(tmp_path: Path, two_tastes: pl.DataFrame) -> None:
    told, stop, training = threading.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
        assert not watch(0.5)
        loop.call_soon_threadsafe(training.set)
        assert told.wait(30)
        assert watch(0.5)
        raise Stopped

    tools = tools_with(tmp_path, endless, Wires(), told)
    work = asyncio.create_task(serving(GrowingLake(two_tastes, 2400), Trigger(1, 1), tools, stop))
    await asyncio.wait_for(training.wait(), 10)
    state = tools.progress.state
    assert (state.step, state.why, state.new, state.wanted) == (Step.LEARNING, "lines", 2400, 1)
    assert (state.fit, state.fits, state.done) == (1, 2, 0.25)
    told.set()
    stop.set()
    await asyncio.wait_for(work, 5)
    assert tools.outlet.registry.versions("default", "embedding") == []


async def test_work_that_does_not_listen_is_left_behind(
    tmp_path: Path, two_tastes: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_LAST_SECONDS", 0.05)
    release, stop, training = threading.Event(), asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def deaf(*_: object) -> Fitted:
        loop.call_soon_threadsafe(training.set)
        release.wait(30)
        raise Stopped

    tools = tools_with(tmp_path, deaf, Wires(), threading.Event())
    work = asyncio.create_task(serving(GrowingLake(two_tastes, 2400), Trigger(1, 1), tools, stop))
    await asyncio.wait_for(training.wait(), 10)
    began = time.monotonic()
    stop.set()
    await asyncio.wait_for(work, 5)
    assert time.monotonic() - began < 3
    release.set()


async def test_too_little_data_is_waited_out(
    tmp_path: Path, two_tastes: pl.DataFrame, factorise: Fit
) -> None:
    once = two_tastes[:30].with_columns(item=pl.int_range(pl.len()).cast(pl.String))
    wires, stop, trigger = Wires(), asyncio.Event(), Trigger(10, 10)
    tools = tools_with(tmp_path, factorise, wires, threading.Event())
    work = asyncio.create_task(serving(GrowingLake(once, 30), trigger, tools, stop))
    async with asyncio.timeout(10):
        while trigger.trained_to_ms is None:  # noqa: ASYNC110  nothing tells us of it
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(work, 5)
    assert trigger.trained_to_ms == once["log_ms"][-1]
    last = tools.progress.state.last
    assert last is not None
    assert (last.version, last.verdict[:21]) == (None, "nothing to train on: ")
    assert tools.outlet.registry.versions("default", "embedding") == []


async def test_an_error_ends_the_loop(tmp_path: Path, factorise: Fit) -> None:
    class Damaged(GrowingLake):
        def offsets(self) -> dict[int, int]:
            raise OSError("the lake is gone")

    tools = tools_with(tmp_path, factorise, Wires(), threading.Event())
    with pytest.raises(OSError, match="the lake is gone"):
        await serving(Damaged(pl.DataFrame(), 0), Trigger(1, 1), tools, asyncio.Event())


def test_the_window_is_counted_from_the_newest_record(two_tastes: pl.DataFrame) -> None:
    lake = GrowingLake(two_tastes, 2400)
    collect(lake, None)
    collect(lake, 2.0)
    assert lake.asked == [None, two_tastes["log_ms"][-1] - 2 * 86_400_000]
    assert collect(lake, None).window.offsets == {0: 1200}


async def test_work_in_a_thread_returns_and_raises() -> None:
    assert await offload(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await offload(lambda: 1 // 0)


async def test_what_experiments_name_is_known_only_while_all_of_them_are_read() -> None:
    book, consumer = ExperimentBook(Hour()), BrokenConsumer()
    told = Follower(consumer, lambda _record: None)
    await told.start()
    take(book, trying(PinnedVersion(4, "0" * 64)))
    assert named_by(book, told, "shop") is None, "another experiment may come yet"
    told.caught_up.set()
    assert named_by(book, told, "shop") == {4}
    consumer.broken.set()
    with pytest.raises(ConnectionError):
        await told.run_to_its_end()
    assert named_by(book, told, "shop") is None, "nobody hears of the next one"
    await told.close()


async def test_what_takes_minutes_at_start_ends_when_told_too() -> None:
    stop, ended = asyncio.Event(), list[str]()

    async def opens() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("closed again")
        return "opened"

    opening = asyncio.create_task(service.unless_told(stop, opens()))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(5):
        assert await opening is None
    assert ended == ["closed again"]
    assert await service.unless_told(asyncio.Event(), asyncio.sleep(0, "opened")) == "opened"

    async def fails() -> str:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await service.unless_told(asyncio.Event(), fails())
