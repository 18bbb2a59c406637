"""The closed list of metrics (deploy/metrics.yaml), and which of them a PromQL expression uses."""

from __future__ import annotations

import re
from typing import NamedTuple

import promql_parser
import yaml
from tests.documents import ROOT

SUFFIXES = ("_bucket", "_sum", "_count")
OF_TARGETS = frozenset({"job", "instance"})
"""Labels that Prometheus itself adds."""


class Metric(NamedTuple):
    type: str
    labels: frozenset[str]


def listed() -> dict[str, dict[str, Metric]]:
    """By who tells them, then by name."""
    document = yaml.safe_load((ROOT / "deploy" / "metrics.yaml").read_text())
    return {
        who: {
            name: Metric(facts["type"], frozenset(facts.get("labels", ())))
            for name, facts in metrics.items()
        }
        for who, metrics in document.items()
    }


def series() -> dict[str, frozenset[str]]:
    """Every series that may be asked for, with its labels."""
    found: dict[str, frozenset[str]] = {}
    for metrics in listed().values():
        for name, metric in metrics.items():
            if metric.type == "histogram":
                found |= {f"{name}{suffix}": metric.labels for suffix in SUFFIXES}
                found[f"{name}_bucket"] = metric.labels | {"le"}
            else:
                found[name] = metric.labels
    return found


def asked(expression: str) -> dict[str, set[str]]:
    """Series -> labels that it is chosen by. Raises ValueError for what is no PromQL."""
    found: dict[str, set[str]] = {}

    def visit(node: promql_parser.Expr) -> None:
        selector = node.vector_selector if hasattr(node, "vector_selector") else node
        if isinstance(selector, promql_parser.VectorSelector) and selector.name:
            names = {matcher.name for matcher in selector.matchers.matchers}
            found.setdefault(selector.name, set()).update(names)

    promql_parser.walk(promql_parser.parse(_filled(expression)), visit)
    return found


def unknown(expression: str) -> list[str]:
    """What an expression asks for that nobody tells."""
    known = series()
    return [
        f"{name}{{{', '.join(sorted(labels - known.get(name, frozenset())))}}}"
        for name, labels in asked(expression).items()
        if name not in known or labels - known[name] - OF_TARGETS
    ]


def _filled(expression: str) -> str:
    """With Grafana's own variables replaced by what Grafana would put there."""
    return re.sub(r"\$__(rate_)?interval", "5m", expression)
