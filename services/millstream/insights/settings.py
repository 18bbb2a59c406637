"""The knobs of insights, beside where Kafka and the files are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from millstream.settings import ConnectionSettings


class InsightsSettings(ConnectionSettings):
    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "default"
    """Whose demand is forecast, and whose review model judges reviews."""
    insights_demand: bool = True
    """Forecast demand, from the lake."""
    insights_reviews: bool = False
    """Judge and count reviews; needs Redis."""
    insights_group: str = Field(default="millstream-insights", min_length=1, max_length=128)
    """The consumer group that reads reviews. The topic prefix is put before it."""
    insights_every_hours: Annotated[float, Field(gt=0, le=24 * 7)] = 24.0
    """Between two readings of the lake; the first begins at start."""
    insights_niceness: Annotated[int, Field(ge=0, le=19)] = 10
