"""The lake's knobs, beside where Kafka and the files are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from millstream.settings import ConnectionSettings


class LakeSettings(ConnectionSettings):
    flush_seconds: float = Field(
        default=2.0, gt=0, le=600, validation_alias="MILLSTREAM_LAKE_FLUSH_SECONDS"
    )
    """How long a record may wait in memory before it is written."""
    flush_records: int = Field(
        default=20_000, ge=1, le=1_000_000, validation_alias="MILLSTREAM_LAKE_FLUSH_RECORDS"
    )
    flush_megabytes: int = Field(
        default=64, ge=1, le=1024, validation_alias="MILLSTREAM_LAKE_FLUSH_MEGABYTES"
    )
    """How much may wait over all partitions; what is reached first decides."""
    new_partition_at: Literal["zero", "log-start"] = Field(
        default="zero", validation_alias="MILLSTREAM_LAKE_NEW_PARTITION_AT"
    )
    """Where a partition without files begins. At `zero` a log whose start has been removed by
    retention halts the lake; `log-start` takes what is left of it."""
