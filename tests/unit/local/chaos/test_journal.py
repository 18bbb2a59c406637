"""The journal adds slices up, and takes none of another commit."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.local.chaos.journal import Journal, commit_of
from millstream.local.chaos.report import Report, percentile


def found(seed: int, **what: object) -> Report:
    report = Report(seed, accepted=100, schedules=5, recoveries_s=[1.0, 2.0])
    report.faults_by_kind = Counter({"worker-killed": 2})
    for name, value in what.items():
        setattr(report, name, value)
    return report


def test_totals_are_those_of_all_slices(tmp_path: Path) -> None:
    path = tmp_path / "a" / "journal.jsonl"
    Journal(path, "c1").add(found(1))
    totals = Journal(path, "c1").add(found(2, lost=3, violations=["x"], recoveries_s=[9.0]))
    assert totals["accepted"] == 200
    assert totals["faults"] == 4
    assert totals["fault_kinds"] == 1
    assert totals["schedules"] == 10
    assert (totals["lost"], totals["violations"], totals["slices"]) == (3, 1, 2)
    assert totals["seeds"] == [1, 2]
    assert totals["recovery_p95_s"] == 9.0
    assert len(path.read_text().splitlines()) == 2


def test_every_slice_has_a_seed_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, "c1")
    assert journal.next_seed(7) == 7
    journal.add(found(7))
    assert Journal(path, "c1").next_seed(1) == 8
    assert Journal(path, "c1").next_seed(20) == 20


def test_another_commit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path, "c1").add(found(1))
    with pytest.raises(OperatorError, match="slices of commit c1"):
        Journal(path, "c2")


def test_every_change_of_the_code_is_another_version(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "a.py").write_text("1")
    git("init")
    git("add", "services")
    git("commit", "-m", "first")
    committed = commit_of(tmp_path)
    (tmp_path / "notes").write_text("outside of the code")
    assert commit_of(tmp_path) == committed
    seen = {committed}
    for name, text in (("a.py", "2"), ("a.py", "3"), ("new.py", "1"), ("new.py", "2")):
        (tmp_path / "services" / name).write_text(text)
        seen.add(commit_of(tmp_path))
    assert len(seen) == 5
    assert all(version.startswith(committed) for version in seen)


@pytest.mark.parametrize("text", ["{", "[]\n", '{"seed": 1}\n'])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(text)
    with pytest.raises(OperatorError, match="other lines"):
        Journal(path, "c1")


@pytest.mark.parametrize(
    "what",
    [
        {"lost": 1},
        {"doubled": 1},
        {"resurrected": 1},
        {"missed_halts": 1},
        {"conservation_residue": 1},
        {"violations": ["I4"]},
    ],
)
def test_any_broken_promise_breaks_the_run(what: dict[str, object]) -> None:
    assert not found(1).broken
    assert found(1, **what).broken


def test_the_json_has_the_promised_keys() -> None:
    promised = (
        "seed accepted duplicates_sent poison_sent faults faults_by_kind schedules lost doubled "
        "resurrected missed_halts violations recovery_p50_s recovery_p95_s conservation_residue"
    )
    assert set(promised.split()) <= found(1).as_json().keys()
    json.dumps(found(1).as_json())


def test_percentiles() -> None:
    assert percentile([], 0.5) is None
    assert percentile(range(1, 101), 0.95) == 96
    assert percentile([4.0], 0.5) == 4.0
