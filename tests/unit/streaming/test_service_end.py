"""How a service ends: what stopped it decides the exit code, not what failed while it closed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from millstream.domain.errors import Halt, OperatorError
from millstream.streaming.transport import service
from millstream.streaming.transport.service import ServiceApp, run_service
from millstream.streaming.transport.way_out import HALTED

HALT = Halt("partition 1", "another log", "topic-recreated-or-truncated.md")
WRONG = OperatorError("a topic", "none", "one")


class App:
    should_stop = False

    def __init__(self, stopped_by: Exception | None) -> None:
        self.stopped_by = stopped_by


@pytest.mark.parametrize(
    ("stopped_by", "ends_by", "seen"),
    [
        (None, SystemExit(0), SystemExit(0)),
        (None, SystemExit(1), SystemExit(1)),
        (None, RuntimeError("a fault"), RuntimeError("a fault")),
        (HALT, SystemExit(1), SystemExit(HALTED)),
        (HALT, ConnectionError("while it closed"), SystemExit(HALTED)),
        (HALT, asyncio.CancelledError(), SystemExit(HALTED)),
        (None, KeyboardInterrupt(), KeyboardInterrupt()),
        (WRONG, ConnectionError("while it closed"), WRONG),
    ],
)
def test_why_it_stopped_decides_how_it_ends(
    stopped_by: Exception | None,
    ends_by: BaseException,
    seen: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Worker:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def execute_from_commandline(self) -> None:
            raise ends_by

    monkeypatch.setattr("faust.Worker", Worker)
    monkeypatch.setattr(service, "require_wiring", lambda _: None)
    monkeypatch.setattr(service, "leave_in_time", lambda _: None)
    told: list[str] = []
    with pytest.raises(type(seen)) as ended:
        run_service(cast(ServiceApp, App(stopped_by)), told.append)
    assert str(ended.value) == str(seen)
    assert told == ([str(HALT)] if stopped_by is HALT else [])
