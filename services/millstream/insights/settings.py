"""The knobs of insights, beside where Kafka and the files are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from millstream.settings import ConnectionSettings


class InsightsSettings(ConnectionSettings):
    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "default"
    insights_every_hours: Annotated[float, Field(gt=0, le=24 * 7)] = 24.0
    """Between two readings of the lake; the first begins at start."""
    insights_niceness: Annotated[int, Field(ge=0, le=19)] = 10
