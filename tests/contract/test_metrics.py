"""Metrics come from one closed list: what a service registers is what stands there, no more."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from tests.documents import DOCUMENTS, ROOT, text_of
from tests.metric_names import Metric, listed, series

REGISTERED = """
import importlib, json, sys
from prometheus_client import REGISTRY
importlib.import_module(sys.argv[1])
found = {}
for metric in list(REGISTRY._names_to_collectors.values()):
    if getattr(metric, "_name", "").startswith("millstream_"):
        name = metric._name + ("_total" if metric._type == "counter" else "")
        found[name] = [metric._type, sorted(metric._labelnames)]
print(json.dumps(found))
"""
SERVICES = ("recommender", "attribution", "lake", "insights", "trainer", "gateway")


def registered(module: str) -> dict[str, Metric]:
    """What a process that imports the module tells, in a process of its own."""
    told = subprocess.run(
        [sys.executable, "-c", REGISTERED, module], capture_output=True, text=True, check=True
    ).stdout
    return {name: Metric(kind, frozenset(of)) for name, (kind, of) in json.loads(told).items()}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_registers_what_the_list_has_for_it(service: str) -> None:
    wanted = listed()
    assert registered(f"millstream.{service}.wiring") == wanted["every service"] | wanted[service]


def test_a_rebuild_tells_its_progress_too() -> None:
    found = registered("millstream.rebuild.telemetry")
    assert found == listed()["rebuild"]


def test_the_list_names_each_metric_once_with_its_meaning() -> None:
    by_service = listed()
    names = [name for metrics in by_service.values() for name in metrics]
    assert len(names) == len(set(names))
    assert by_service.keys() == {"every service", *SERVICES, "rebuild", "others"}
    for name, metric in ((n, m) for ms in by_service.values() for n, m in ms.items()):
        assert name.endswith("_total") == (metric.type == "counter"), name


RUNBOOKS = sorted(f"deploy/runbooks/{p.name}" for p in (ROOT / "deploy" / "runbooks").glob("*.md"))


def test_documents_name_only_metrics_that_are_told() -> None:
    """`millstream_insights_lag_*` names all that begin so."""
    names = {name for metrics in listed().values() for name in metrics} | series().keys()
    told = {
        (document, name, rest)
        for document in (*DOCUMENTS, *RUNBOOKS)
        for name, rest in re.findall(r"\b(millstream_[a-z_]+)(\*?)", text_of(document))
    }
    assert len(told) > len(names) // 4
    for document, name, rest in told:
        known = any(one.startswith(name) for one in names) if rest else name in names
        assert known, f"{document} names {name}{rest}"


def test_no_label_holds_an_id() -> None:
    """Names of tenants are no ids; what can grow without end would also break a Prometheus."""
    labels = {
        label for ms in listed().values() for metric in ms.values() for label in metric.labels
    }
    assert labels == {
        *(
            "decision",
            "input",
            "instance",
            "job",
            "model",
            "origin",
            "outcome",
            "part",
            "partition",
        ),
        *(
            "reason",
            "route",
            "rule",
            "service",
            "source",
            "state",
            "status",
            "tenant",
            "topic",
            "verdict",
        ),
        *("version", "why"),
    }


def test_nothing_registers_a_metric_outside_a_telemetry_module() -> None:
    services = ROOT / "services" / "millstream"
    found = {
        path.relative_to(services).as_posix()
        for path in services.rglob("*.py")
        if "prometheus_client import" in (text := path.read_text())
        and any(kind in text for kind in ('Counter("', 'Gauge("', 'Histogram("', "Counter(\n"))
    }
    assert found
    assert all(path.endswith("/telemetry.py") for path in found), found
