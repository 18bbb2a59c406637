"""The recommender's knobs, beside where Kafka, Redis and the files are."""

from __future__ import annotations

from pydantic import Field

from millstream.settings import ConnectionSettings, Variant


class RecommenderSettings(ConnectionSettings):
    group: str = Field(default="millstream-recommender", min_length=1, max_length=128)
    """The consumer group; its workers share the partitions. The topic prefix is put before it."""
    session_timeout_seconds: float = Field(default=6.0, ge=6, le=300)
    """How long a silent worker keeps its partitions."""
    freshness_seconds: int = Field(default=60, ge=0, le=86_400)
    """An event older than this by log time is counted but gets no list; 0: every one does."""
    fair_after_ms: int = Field(default=300, ge=0, le=60_000)
    """Behind by more than this by log time, with several tenants: who asks for more than an even
    part of the lists gets none for the rest, which are counted all the same. 0, or
    freshness_seconds 0: never."""
    chunk_events: int = Field(default=500, ge=1, le=5_000)
    """At most so many records go through the stages at once."""
    model_name: str = Field(default="embedding", pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    variant: Variant = "default"
    """Stands on every list."""
