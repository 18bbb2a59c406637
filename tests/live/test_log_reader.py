"""What the log has, asked on Apache Kafka."""

from __future__ import annotations

import pytest
from tests.contract.test_log_reader import the_log_is_asked

from millstream.local.kafka import ApacheKafka

pytestmark = pytest.mark.live


async def test_the_log_is_asked(apache_kafka: ApacheKafka, prefix: str) -> None:
    await the_log_is_asked(apache_kafka.bootstrap_servers, f"{prefix}t")
