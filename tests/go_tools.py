"""What comes as Go modules, at fixed versions: helm, and the definitions of the resources of KEDA
and the Prometheus operator. `python -m tests.go_tools` gets them (`make helm`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from millstream.local.kafka_jars import cache_dir

HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
KEDA = "github.com/kedacore/keda/v2@v2.17.2"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
DEFINITIONS = {
    KEDA: [
        "config/crd/bases/keda.sh_scaledobjects.yaml",
        "config/crd/bases/keda.sh_triggerauthentications.yaml",
    ],
    PROMETHEUS_OPERATOR: [
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ],
}
"""Of the resources that our chart makes."""
NOT_RENDERED = "the chart is not rendered anew"
OLDEST_GO = (1, 24)
BUILD_S = 1500
DOWNLOAD_S = 300


class Missing(Exception):  # noqa: N818
    """Why it can't be had here."""


def go_program() -> str:
    """Raises Missing where there is none, or one too old to build helm."""
    found = shutil.which("go") or "/usr/local/go/bin/go"
    if not Path(found).is_file():
        raise Missing("no go on PATH (and helm comes as a Go module)")
    said = subprocess.run(
        [found, "env", "GOVERSION"], capture_output=True, text=True, check=False
    ).stdout.strip()
    release = tuple(int(part) for part in said.removeprefix("go").split(".")[:2] if part.isdigit())
    if release < OLDEST_GO:
        raise Missing(f"{said or 'a go that does not tell its version'}, older than Go 1.24")
    return found


def helm_program(build: bool) -> Path:
    """The one in the cache; built first, for minutes, if `build`. Raises Missing."""
    kept = cache_dir() / HELM.rpartition("@")[2] / "helm"
    if kept.is_file():
        return kept
    if not build:
        raise Missing("helm was not built yet: `make helm` does it once, in some minutes")
    kept.parent.mkdir(parents=True, exist_ok=True)
    run = subprocess.run(
        [go_program(), "install", HELM],
        env={**os.environ, "GOBIN": str(kept.parent)},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if run.returncode != 0:
        raise Missing(f"helm can't be built: {run.stderr.strip()[-500:]}")
    return kept


def definitions(module: str) -> list[Path]:
    """The files with a module's definitions of resources. Raises Missing."""
    run = subprocess.run(
        [go_program(), "mod", "download", "-json", module],
        cwd=cache_dir().parent,  # in no module
        capture_output=True,
        text=True,
        timeout=DOWNLOAD_S,
        check=False,
    )
    if run.returncode != 0:
        raise Missing(f"{module} can't be had: {run.stderr.strip()[-300:]}")
    folder = Path(json.loads(run.stdout)["Dir"])
    return [folder / name for name in DEFINITIONS[module]]


if __name__ == "__main__":
    sys.stdout.write(f"{helm_program(build=True)}\n")
    for module in DEFINITIONS:
        sys.stdout.writelines(f"{file}\n" for file in definitions(module))
