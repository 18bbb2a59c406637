"""The port for operators: metrics, life and readiness, by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import httpx
import pytest

from millstream.cli.status_server import status_server
from millstream.domain.errors import OperatorError
from millstream.local.ports import LOOPBACK
from millstream.streaming.telemetry import AT_WORK


@pytest.fixture
def served() -> Iterator[str]:
    AT_WORK.set(0)  # services that other tests began in this process
    server = status_server(LOOPBACK, 0)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        AT_WORK.set(0)
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_service_is_ready_once_it_is_at_work_and_lives_before(served: str) -> None:
    assert httpx.get(f"{served}/healthz").status_code == 200
    assert httpx.get(f"{served}/readyz").status_code == 503
    AT_WORK.set(1)
    for _ in range(2):
        ready = httpx.get(f"{served}/readyz")
        assert (ready.status_code, ready.text) == (200, "at work\n")
    assert httpx.get(f"{served}/healthz").text == "alive\n"


def test_metrics_are_told_and_nothing_else_is(served: str) -> None:
    told = httpx.get(f"{served}/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert "millstream_at_work 0.0" in told.text
    for path in ("/", "/v1/events", "/metrics/x"):
        assert httpx.get(f"{served}{path}").status_code == 404


def test_a_port_that_is_taken_is_told(served: str) -> None:
    port = int(served.rpartition(":")[2])
    with pytest.raises(OperatorError, match=f"MILLSTREAM_METRICS_PORT: got {LOOPBACK}:{port}"):
        status_server(LOOPBACK, port)
