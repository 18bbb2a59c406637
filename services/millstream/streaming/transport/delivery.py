"""What a fetch brought as one message: Faust's scheduler, and the codec that lets it through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faust.serializers import codecs
from faust.types import TP
from faust.types.transports import SchedulingStrategyT

from millstream.streaming.chunks import Chunk

CODEC = "chunks"


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The chunks of all partitions in the shape of one consumer record, the last of the first
    partition: Faust pays for a message what we pay for twenty events, whatever is in it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    value: Sequence[Chunk]
    headers: tuple[()] = ()
    key: None = None
    checksum: None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


class ChunkScheduler(SchedulingStrategyT):
    def __init__(self) -> None:
        pass

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        found = {tp: batch for tp, batch in records.items() if batch}
        if found:
            tp, batch = next(iter(found.items()))
            chunks = [Chunk(tp.topic, tp.partition, batch) for tp, batch in found.items()]
            yield tp, _enveloped(tp, batch[-1], chunks)


def _enveloped(tp: TP, last: Any, chunks: Sequence[Chunk]) -> _Envelope:
    at = (last.offset, last.timestamp, last.timestamp_type)
    return _Envelope(tp.topic, tp.partition, *at, chunks)


class _PassThrough(codecs.Codec):
    """Chunks are no bytes: they go to the agent as they are."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> bytes:  # noqa: ARG002
        raise TypeError("chunks are only read")


codecs.register(CODEC, _PassThrough())
