"""The Faust app that a worker is: its settings, and how it comes by consumer and scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import faust
from faust.tables import TableManager
from faust.transport.drivers import aiokafka as driver

from millstream.domain.brokers import Servers
from millstream.domain.log import Partition
from millstream.streaming.chunks import Resume
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.transport.consumer import ChunkConsumer
from millstream.streaming.transport.credentials import credentials
from millstream.streaming.transport.delivery import CODEC, ChunkScheduler


class ChunkTransport(driver.Transport):
    Consumer = ChunkConsumer


class NoTables(TableManager):
    """Faust's own gives agents a second in which to name their tables; ours have none, and a worker
    that starts again is waited for."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class ChunkApp(faust.App):
    """A Faust app that reads one topic in chunks and keeps no state of its own."""

    def __init__(
        self,
        group: str,
        source: str,
        brokers: Servers,
        resume: Resume,
        session_timeout_s: float,
    ) -> None:
        self.source = source
        self.resume = resume
        self.stopped_by: Exception | None = None
        read_any_header_name()
        super().__init__(
            group,
            broker=";".join(f"kafka://{host}" for host in str(brokers).split(",")),
            broker_credentials=credentials(brokers),
            ConsumerScheduler=ChunkScheduler,
            TableManager=NoTables,
            broker_session_timeout=session_timeout_s,
            broker_heartbeat_interval=2.0,
            broker_rebalance_timeout=max(10.0, session_timeout_s),
            consumer_auto_offset_reset="none",
            stream_wait_empty=False,
            stream_buffer_maxsize=2,
            stream_recovery_delay=0.0,
            table_standby_replicas=0,
            store="memory://",
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            agent_supervisor="mode.supervisors.CrashingSupervisor",
            value_serializer="raw",
            key_serializer="raw",
        )
        self.on_partitions_revoked.connect(self._on_released)

    def released(self) -> None:
        """The group is about to give the partitions out anew: none is ours until `resume`."""

    def connection_lost(self) -> None:
        """A connection of the consumer was closed, for whatever reason."""

    def _create_directories(self) -> None:
        """None: nothing is kept on this machine."""

    async def _on_released(self, *_: Any, **__: Any) -> None:
        self.released()

    def _new_transport(self) -> ChunkTransport:
        return ChunkTransport(self.conf.broker_consumer, self)

    def chunks(self) -> Any:
        """The source topic as a Faust topic whose values are the `Chunk`s of one fetch, one of each
        partition that had something; no acknowledgement."""
        return self.topic(self.source, value_serializer=CODEC, key_serializer="raw", acks=False)

    async def rewind(self) -> None:
        """Asks for the positions again and seeks there."""
        await cast(ChunkConsumer, self.consumer).perform_seek()

    async def commit_watermark(self, offsets: Mapping[Partition, int], epoch: str) -> bool:
        return await cast(ChunkConsumer, self.consumer).commit_watermark(offsets, epoch)
