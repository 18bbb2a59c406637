"""What the document promises: whatever is sent, the answer is one of those that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode, checks
from tests.gateway import Process, process

from millstream.cli.openapi import NAME
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey

SCHEMA = schemathesis.openapi.from_path(Path(__file__).parents[3] / "schemas" / NAME)
OPERATIONS: dict[str, Any] = {
    found.ok().label: found.ok()  # type: ignore[union-attr]
    for found in SCHEMA.get_all_operations()
}
WHOLE_TOPICS = ("/v1/dead-letters", "/v1/erasures")
"""Seconds each: fewer examples."""
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]


@pytest.fixture(scope="module")
def gateway(
    tansu: Tansu, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    with process(tansu, valkey, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_a_documented_one(
    label: str, mode: GenerationMode, gateway: Process
) -> None:
    """A malformed event within a well-formed batch is answered 202, with its verdict: that bad
    data is refused is for test_events.py to show."""
    operation = OPERATIONS[label]
    if mode is GenerationMode.NEGATIVE and not _takes_anything(operation):
        return
    examples = 2 if operation.path.startswith(WHOLE_TOPICS) else 20

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Case[Any]) -> None:
        answer = case.call(base_url=gateway.url, headers=gateway.headers)
        case.validate_response(answer, checks=CHECKS)

    check()


def _takes_anything(operation: Any) -> bool:
    """Where nothing is sent nothing of it can be wrong."""
    return any(list(part) for part in (operation.body, operation.query, operation.path_parameters))


def test_nothing_is_answered_without_a_key_but_what_is_open(gateway: Process) -> None:
    for label, operation in OPERATIONS.items():
        case = operation.Case(
            path_parameters={name: "1" for name in ("user", "item", "letter", "rule", "experiment")}
        )
        case.path_parameters |= {"model": "m", "version": 1, "pseudonym": "p"}
        status = case.call(base_url=gateway.url).status_code
        assert (status == 401) == operation.path.startswith("/v1/"), label
