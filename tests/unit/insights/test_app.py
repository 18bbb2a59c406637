"""What insights is built from."""

from __future__ import annotations

import pytest

from millstream.domain.errors import OperatorError
from millstream.insights.app import InsightsApp
from millstream.insights.settings import InsightsSettings
from millstream.insights.wiring import run
from millstream.streaming.topics import REVIEWS
from millstream.streaming.transport.preconditions import require_wiring


async def test_what_reads_reviews_is_built_as_what_counts_events() -> None:
    app = InsightsApp(InsightsSettings(topic_prefix="a."))
    require_wiring(app)
    assert app.source == f"a.{REVIEWS}"
    assert app.conf.id == "a.millstream-insights"


async def test_with_neither_demand_nor_reviews_there_is_nothing_to_do() -> None:
    with pytest.raises(OperatorError, match="MILLSTREAM_INSIGHTS_REVIEWS"):
        await run(InsightsSettings(insights_demand=False))
