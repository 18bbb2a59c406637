"""A fetch's records as one message: Faust's scheduler, and the codec that lets a chunk through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from faust.serializers import codecs
from faust.types import TP
from faust.types.transports import SchedulingStrategyT

from millstream.streaming.chunks import Chunk

CODEC = "chunk"


@dataclass(frozen=True, slots=True)
class _Envelope:
    """A chunk in the shape of one consumer record: its offset is the last record's."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    value: Chunk
    headers: tuple[()] = ()
    key: None = None
    checksum: None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


class ChunkScheduler(SchedulingStrategyT):
    def __init__(self) -> None:
        pass

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        for tp, batch in records.items():
            if batch:
                yield tp, _enveloped(tp, batch)


def _enveloped(tp: TP, batch: list[Any]) -> _Envelope:
    last, chunk = batch[-1], Chunk(tp.topic, tp.partition, batch)
    at = (last.offset, last.timestamp, last.timestamp_type)
    return _Envelope(tp.topic, tp.partition, *at, chunk)


class _PassThrough(codecs.Codec):
    """The chunk is no bytes: it goes to the agent as it is."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> bytes:  # noqa: ARG002
        raise TypeError("chunks are only read")


codecs.register(CODEC, _PassThrough())
