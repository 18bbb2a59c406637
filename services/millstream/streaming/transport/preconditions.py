"""What exactness rests on in how Faust is built in (docs/exactness.md): one look at the finished
app before it starts, since a default that comes back loses or doubles without a word."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

from mode.supervisors import CrashingSupervisor

from millstream.domain.errors import Halt
from millstream.streaming.transport.app import ChunkApp, ChunkTransport
from millstream.streaming.transport.consumer import ChunkConsumer
from millstream.streaming.transport.delivery import CODEC, ChunkScheduler

VERSIONS = {"faust-streaming": "0.15.3", "aiokafka": "0.14."}
"""Whose private members we override; tests/contract/test_faust.py was run against these."""
LEAST_SESSION_S = 6.0
"""Apache Kafka's own minimum."""


class Rule(NamedTuple):
    name: str
    found: object
    wanted: object
    kept: bool


def require_wiring(app: ChunkApp) -> None:
    """Raises Halt naming all that is not as it must be."""
    rules = [*_versions(), *_settings(app.conf), *_delivery(app), *_agents(app)]
    broken = [f"{r.name} is {r.found!r}, not {r.wanted!r}" for r in rules if not r.kept]
    if broken:
        raise Halt(f"this worker is built so that counts could go wrong: {'; '.join(broken)}")


def _is(name: str, found: object, wanted: object) -> Rule:
    return Rule(name, found, wanted, found == wanted)


def _versions() -> Iterator[Rule]:
    for package, wanted in VERSIONS.items():
        found = version(package)
        yield Rule(f"the version of {package}", found, wanted, found.startswith(wanted))


def _settings(conf: Any) -> Iterator[Rule]:
    yield _is("stream_wait_empty", conf.stream_wait_empty, False)
    yield _is("web_enabled", conf.web_enabled, False)
    yield _is("topic_allow_declare", conf.topic_allow_declare, False)
    yield _is("topic_disable_leader", conf.topic_disable_leader, True)
    yield _is("table_standby_replicas", conf.table_standby_replicas, 0)
    yield _is("consumer_auto_offset_reset", conf.consumer_auto_offset_reset, "none")
    yield _is("value_serializer", conf.value_serializer, "raw")
    yield _is("key_serializer", conf.key_serializer, "raw")
    yield _is("processing_guarantee", conf.processing_guarantee.value, "at_least_once")
    yield _is("agent_supervisor", conf.agent_supervisor, CrashingSupervisor)
    session, heartbeat = conf.broker_session_timeout, conf.broker_heartbeat_interval
    wanted = f"{LEAST_SESSION_S:g} s or longer"
    yield Rule("broker_session_timeout", session, wanted, session >= LEAST_SESSION_S)
    kept = heartbeat <= session / 3
    yield Rule("broker_heartbeat_interval", heartbeat, "a third of the session at most", kept)


def _delivery(app: ChunkApp) -> Iterator[Rule]:
    transport: Any = app.transport
    yield _is("ConsumerScheduler", app.conf.ConsumerScheduler, ChunkScheduler)
    yield _is("the transport", type(transport), ChunkTransport)
    yield _is("the consumer", transport.Consumer, ChunkConsumer)
    yield _is("the number of tables", len(app.tables), 0)
    yield _is("the number of agents", len(app.agents), 1)


def _agents(app: ChunkApp) -> Iterator[Rule]:
    agents: Any = app.agents
    for name, agent in agents.items():
        of, topic = f"of agent {name}", agent.channel
        yield _is(f"the topic {of}", tuple(topic.topics), (app.source,))
        yield _is(f"acks {of}", topic.acks, False)
        yield _is(f"key_serializer {of}", topic.key_serializer, "raw")
        yield _is(f"value_serializer {of}", topic.value_serializer, CODEC)
        yield _is(f"concurrency {of}", agent.concurrency, 1)
        yield _is(f"isolated_partitions {of}", agent.isolated_partitions, False)
        yield _is(f"the supervisor {of}", agent.supervisor_strategy, None)
        yield _is(f"use_reply_headers {of}", agent.use_reply_headers, False)
        yield _is(f"the number of sinks {of}", len(agent._sinks), 0)
        yield _is(f"a yield {of}", inspect.isasyncgenfunction(agent.fun), False)
