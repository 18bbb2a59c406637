"""What the log has, asked on the embedded broker; tests/live/ asks Apache Kafka."""

from __future__ import annotations

import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from millstream.domain.log import Partition
from millstream.local.tansu import Tansu
from millstream.streaming.probe import Absent, LogReader

PARTITIONS = 8
RECORDS = 200
VALUE = b"v" * 2_000
ASSIGNMENT_S = 1.0
"""What looking two times at all partitions may add to an assignment."""


async def fill(servers: str, topic: str) -> list[Partition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])
    await admin.close()
    places = [(topic, number) for number in range(PARTITIONS)]
    async with AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=False) as producer:
        for number in range(RECORDS):
            for place in places:
                await producer.send(topic, b"%d " % number + VALUE, partition=place[1])
        await producer.flush()
    return places


def numbers(found: Sequence[object]) -> list[object]:
    return [one if isinstance(one, Absent) else int(one.value.split()[0]) for one in found]  # type: ignore[attr-defined]


async def the_log_is_asked(servers: str, topic: str) -> None:
    places = await fill(servers, topic)
    async with LogReader(servers) as log:
        began = time.monotonic()
        for offset in (0, RECORDS // 2):
            found = await log.first_records(dict.fromkeys(places, offset))
            assert numbers([found[tp] for tp in places]) == [offset] * PARTITIONS
        assert time.monotonic() - began < ASSIGNMENT_S
        assert await log.waiting(dict.fromkeys(places, RECORDS - 1)) == set(places)
        assert await log.waiting(dict.fromkeys(places, RECORDS)) == set()
        assert await log.starts(places) == dict.fromkeys(places, 0)

        mixed = dict(zip(places, (0, RECORDS - 1, RECORDS, RECORDS + 50), strict=False))
        found = await log.first_records(mixed)
        gone = Absent.GONE
        assert numbers([found[tp] for tp in mixed]) == [0, RECORDS - 1, gone, gone]
        found = await log.first_records({places[2]: 5})
        assert numbers([found[places[2]]]) == [5], "and then it is asked something else"


async def test_the_embedded_log_is_asked(tansu: Tansu, prefix: str) -> None:
    await the_log_is_asked(tansu.bootstrap_servers, f"{prefix}t")


async def test_a_broker_that_is_away_says_nothing(prefix: str) -> None:
    with Tansu() as own:
        [first, *_] = await fill(own.bootstrap_servers, f"{prefix}t")
        async with LogReader(own.bootstrap_servers) as log:
            own.kill()
            assert await log.first_records({first: 0}) == {first: Absent.UNKNOWN}
            assert await log.starts([first]) is None
            assert await log.waiting({first: 0}) == set()
