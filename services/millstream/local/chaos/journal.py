"""The long run in slices: one line of JSON for each, all of one commit, a seed for each."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

from millstream.domain.errors import OperatorError
from millstream.local.chaos.report import SUMMED, Report

ROOT = Path(__file__).parents[4]
CODE = "services"
"""What of the tree is under test."""


class Journal:
    """Raises OperatorError where the file is of another commit, or is no journal."""

    def __init__(self, path: Path, commit: str | None = None) -> None:
        self._path = path
        self._commit = commit_of(ROOT) if commit is None else commit
        self._slices = _read(path)
        for line in self._slices:
            if line["commit"] != self._commit:
                raise OperatorError(
                    f"journal {path.name}",
                    f"slices of commit {line['commit']}",
                    f"slices of the commit that runs, {self._commit}",
                    "Give another file: what two versions did is no proof for either",
                )

    def next_seed(self, first: int) -> int:
        """One that no slice had yet."""
        return max([first, *(int(line["seed"]) + 1 for line in self._slices)])

    def add(self, report: Report) -> dict[str, Any]:
        """Appends the slice, durably, and returns the totals over all."""
        line = {
            "commit": self._commit,
            **report.as_json(),
            "recoveries_s": report.recoveries_s,
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as journal:
            journal.write(json.dumps(line) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        self._slices.append(line)
        return self.totals()

    def totals(self) -> dict[str, Any]:
        total = Report(seed=self._slices[0]["seed"])
        for line in self._slices:
            total.add(_report(line))
        last = self._slices[-1]
        return {
            "commit": self._commit,
            "slices": len(self._slices),
            **total.as_json(),
            "seeds": [line["seed"] for line in self._slices],
            "broker": last["broker"],
            "redis": last["redis"],
            "machine": last["machine"],
        }


def commit_of(root: Path) -> str:
    """The commit of the tree; where files of the code differ from it or are new, with a digest of
    the difference, so that other changes are another version. Raises OperatorError."""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _changes(root)
    except (OSError, subprocess.CalledProcessError) as error:
        raise OperatorError(
            "a journal", f"no commit ({error})", "a clone of the source tree with git"
        ) from None
    return f"{commit}-changed-{sha256(changes).hexdigest()[:12]}" if changes else commit


def _changes(root: Path) -> bytes:
    difference = _git(root, "diff", "--binary", "HEAD", "--", CODE)
    new = _git(root, "ls-files", "--others", "--exclude-standard", "--", CODE).splitlines()
    files = [f"{name}\0".encode() + (root / name).read_bytes() for name in new]
    return b"\0".join(filter(None, [difference.encode(errors="surrogateescape"), *files]))


def _git(root: Path, *words: str) -> str:
    run = subprocess.run(
        ["git", "--no-optional-locks", *words],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=True,
    )
    return run.stdout.strip()


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        if all("commit" in line and "recoveries_s" in line for line in lines):
            return lines
    except (ValueError, TypeError):
        pass
    raise OperatorError(f"journal {path.name}", "other lines", "one JSON object for each slice")


def _report(line: dict[str, Any]) -> Report:
    report = Report(seed=line["seed"])
    for name in SUMMED:
        setattr(report, name, line[name])
    report.faults_by_kind = Counter(line["faults_by_kind"])
    report.violations = [*line["violations_told"]]
    report.violations += ["(not told)"] * (line["violations"] - len(report.violations))
    report.recoveries_s = line["recoveries_s"]
    return report
