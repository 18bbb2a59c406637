"""The chart as helm renders it, kept so that it can be checked where there is no helm.

`python -m tests.golden.rendered_chart` writes what helm says now (`make helm` builds it): look at
the difference before it is committed. The digest tells that they are of this chart."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tests.documents import ROOT
from tests.go_tools import helm_program

CHART = ROOT / "deploy" / "helm" / "millstream"
FOLDER = Path(__file__).parent / "chart"
KUBERNETES = ("1.28", "1.34")
CASES = ("least", "all", "open", "one-gateway")
RULES, BOARD = CHART / "files" / "millstream.rules.yaml", CHART / "files" / "millstream.json"
"""They stand in the tree already, and change more often than the chart: a golden file has their
names in their place."""

Resource = dict[str, Any]


def values(case: str) -> str:
    return f"--values={CHART / 'ci' / f'{case}-values.yaml'}"


def run_helm(helm: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(helm), *words], capture_output=True, text=True, check=False, timeout=120
    )


def rendered(
    helm: Path, case: str, version: str = KUBERNETES[-1], extra: Sequence[str] = ()
) -> list[Resource]:
    words = ("template", "shop", str(CHART), f"--kube-version={version}", values(case), *extra)
    done = run_helm(helm, *words)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def kept(case: str) -> list[Resource]:
    """As `rendered`, of the file."""
    text = (FOLDER / f"{case}.yaml").read_text()
    return [_whole(one) for one in yaml.safe_load_all(text)]


def of(resources: list[Resource], kind: str) -> list[Resource]:
    return [one for one in resources if one["kind"] == kind]


def pods(resources: list[Resource]) -> dict[str, Resource]:
    """By component, the template of its pod."""
    found = {}
    for one in resources:
        spec = one.get("spec", {})
        inner = spec.get("jobTemplate", {}).get("spec", spec) if one["kind"] == "CronJob" else spec
        if one["kind"] in {"Deployment", "Job", "CronJob"}:
            found[one["metadata"]["labels"]["app.kubernetes.io/component"]] = inner["template"]
    return found


def digest() -> str:
    """Of all that helm makes the files from, but for RULES and BOARD."""
    sources = sorted(path for path in CHART.rglob("*") if path.is_file() and not path.is_symlink())
    told = hashlib.sha256()
    for path in sources:
        told.update(f"{path.relative_to(CHART)}\n".encode() + path.read_bytes() + b"\0")
    return told.hexdigest()


def kept_digest() -> str:
    return (FOLDER / "digest").read_text().strip()


def write(helm: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        shortened = [_shortened(one) for one in rendered(helm, case)]
        (FOLDER / f"{case}.yaml").write_text(yaml.safe_dump_all(shortened, width=100))
    (FOLDER / "digest").write_text(digest() + "\n")


def _shortened(one: Resource) -> Resource:
    if one["kind"] == "PrometheusRule":
        return {**one, "spec": RULES.name}
    if BOARD.name in one.get("data", ()):
        return {**one, "data": {BOARD.name: BOARD.name}}
    return one


def _whole(one: Resource) -> Resource:
    if one["kind"] == "PrometheusRule":
        return {**one, "spec": yaml.safe_load(RULES.read_text())}
    if BOARD.name in one.get("data", ()):
        return {**one, "data": {BOARD.name: BOARD.read_text()}}
    return one


if __name__ == "__main__":
    write(helm_program(build=False))
