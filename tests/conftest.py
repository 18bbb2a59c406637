"""The servers that tests share: started once per run, told apart by each test's own prefix."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
from tests.effort import load_profile
from tests.go_tools import NOT_RENDERED
from tests.needed import not_here
from tests.redis_cluster import Cluster, cluster_of

from millstream.domain.errors import OperatorError
from millstream.local.kafka import ApacheKafka
from millstream.local.kafka_jars import availability, class_path
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey

load_profile()
# Read when numpy loads, as in every service: products of workers side by side would wait, at full
# speed, for the cores that the others have.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def prefix() -> str:
    """For topics, groups and Redis keys: no two tests share any."""
    return f"t{secrets.token_hex(6)}."


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with Valkey() as store:
        yield store


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Cluster]:
    """Three masters; who moves slots or changes settings leaves a working cluster behind."""
    with cluster_of(Valkey) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def tansu() -> Iterator[Tansu]:
    with Tansu() as broker:
        yield broker


@pytest.fixture(scope="session")
def live_kafka_possible() -> None:
    """For tests that start an Apache Kafka of their own, to break it."""
    reason = _why_no_kafka()
    if reason is not None:
        not_here(reason)


@pytest.fixture(scope="session")
def apache_kafka(live_kafka_possible: None) -> Iterator[ApacheKafka]:
    with ApacheKafka() as node:
        yield node


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What takes minutes to build is not required even of CI, but its absence is told loudly."""
    skipped = terminalreporter.stats.get("skipped", ())
    missing = [report for report in skipped if NOT_RENDERED in str(report.longrepr)]
    if missing:
        terminalreporter.section(NOT_RENDERED.upper(), red=True, bold=True)
        terminalreporter.write_line(
            f"{len(missing)} tests of deploy/helm need helm: `make helm` builds it in some minutes."
            " Judged was what helm rendered when the chart was changed last (tests/golden/chart)."
        )


def _why_no_kafka() -> str | None:
    """Also where Maven is present but cannot get the jars."""
    reason = availability()
    if reason is None:
        try:
            class_path()
        except OperatorError as error:
            reason = str(error)
    return reason
