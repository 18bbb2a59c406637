"""Each thing that exactness rests on, broken in turn: the recommender refuses to run."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.transport.utils import DefaultSchedulingStrategy
from mode.supervisors import OneForOneSupervisor

from millstream.domain.errors import Halt
from millstream.recommender.app import RecommenderApp
from millstream.recommender.settings import RecommenderSettings
from millstream.streaming.transport import preconditions
from millstream.streaming.transport.app import ChunkApp
from millstream.streaming.transport.delivery import CODEC
from millstream.streaming.transport.preconditions import require_wiring


@pytest.fixture
async def app() -> RecommenderApp:
    return RecommenderApp(RecommenderSettings())


async def test_the_recommender_as_it_is_built_may_run(app: RecommenderApp) -> None:
    require_wiring(app)


SETTINGS: dict[str, Any] = {
    "stream_wait_empty": True,
    "web_enabled": True,
    "topic_allow_declare": True,
    "topic_disable_leader": False,
    "table_standby_replicas": 1,
    "consumer_auto_offset_reset": "earliest",
    "value_serializer": "json",
    "key_serializer": "json",
    "processing_guarantee": SimpleNamespace(value="exactly_once"),
    "agent_supervisor": OneForOneSupervisor,
    "broker_session_timeout": 5.0,
    "broker_heartbeat_interval": 2.5,
    "ConsumerScheduler": DefaultSchedulingStrategy,
}


class Changed:
    """Settings but for one."""

    def __init__(self, conf: Any, name: str, value: Any) -> None:
        self._conf = conf
        setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conf, name)


@pytest.mark.parametrize("name", SETTINGS)
async def test_a_setting_that_is_another(app: RecommenderApp, name: str) -> None:
    app.conf = Changed(app.conf, name, SETTINGS[name])  # type: ignore[assignment]
    with pytest.raises(Halt, match=f"{name} is "):
        require_wiring(app)


async def test_a_release_of_faust_that_nobody_has_read(
    app: RecommenderApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(preconditions.VERSIONS, "faust-streaming", "0.15.2")
    with pytest.raises(Halt, match=r"version of faust-streaming is '0.15.3', not '0.15.2'"):
        require_wiring(app)


async def test_a_table(app: RecommenderApp) -> None:
    app.Table("counts", default=int)
    with pytest.raises(Halt, match="number of tables is 1"):
        require_wiring(app)


async def test_faust_own_transport_and_consumer(
    app: RecommenderApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual: Any = faust.App("plain").transport
    monkeypatch.setattr(type(app), "transport", usual)
    with pytest.raises(Halt, match=r"the transport is .*; the consumer is "):
        require_wiring(app)


async def listens(stream: Any) -> None:
    async for _ in stream:
        pass


async def yields(stream: Any) -> Any:
    async for chunk in stream:
        yield chunk


Agent = Callable[[ChunkApp], Any]
AGENTS: dict[str, tuple[Agent, str]] = {
    "acknowledges": (
        lambda app: app.agent(app.topic(app.source, value_serializer=CODEC))(listens),
        "acks of agent",
    ),
    "decodes keys": (
        lambda app: app.agent(
            app.topic(app.source, value_serializer=CODEC, key_serializer="json", acks=False)
        )(listens),
        "key_serializer of agent",
    ),
    "takes events one by one": (
        lambda app: app.agent(app.topic(app.source, value_serializer="raw", acks=False))(listens),
        "value_serializer of agent",
    ),
    "reads another topic": (
        lambda app: app.agent(app.topic("other", value_serializer=CODEC, acks=False))(listens),
        "topic of agent",
    ),
    "runs twice": (
        lambda app: app.agent(app.chunks(), concurrency=2)(listens),
        "concurrency of agent",
    ),
    "isolates partitions": (
        lambda app: app.agent(app.chunks(), isolated_partitions=True)(listens),
        "isolated_partitions of agent",
    ),
    "is started again by itself": (
        lambda app: app.agent(app.chunks(), supervisor_strategy=OneForOneSupervisor)(listens),
        "supervisor of agent",
    ),
    "answers to whom a header names": (
        lambda app: app.agent(app.chunks(), use_reply_headers=True)(listens),
        "use_reply_headers of agent",
    ),
    "sends on": (
        lambda app: app.agent(app.chunks(), sink=[print])(listens),
        "number of sinks of agent",
    ),
    "yields": (lambda app: app.agent(app.chunks())(yields), "yield of agent"),
}


@pytest.mark.parametrize("what", AGENTS)
async def test_an_agent_that(what: str, app: RecommenderApp) -> None:
    make, told = AGENTS[what]
    app.agents.clear()
    make(app)
    with pytest.raises(Halt, match=told):
        require_wiring(app)


async def test_no_agent_and_two(app: RecommenderApp) -> None:
    app.agent(app.chunks(), use_reply_headers=False)(listens)
    with pytest.raises(Halt, match="number of agents is 2"):
        require_wiring(app)
    app.agents.clear()
    with pytest.raises(Halt, match="number of agents is 0"):
        require_wiring(app)
