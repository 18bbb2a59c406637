"""What the benchmarks feed: the same events for the same seed, of the size and shape stated."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import msgspec
import pytest

from millstream.cli.bench import ROOT, benchmark
from millstream.domain.decode import decode
from millstream.domain.errors import OperatorError

made = benchmark("made_events", ROOT)
LOAD = made.Load(events=2_000, shoppers=100, items=50, seed=7)
START_MS = 1_700_000_000_000


def test_a_seed_makes_the_same_events_and_another_seed_others() -> None:
    first = list(made.made_events(LOAD, START_MS))
    assert first == list(made.made_events(LOAD, START_MS))
    other = made.Load(events=2_000, shoppers=100, items=50, seed=8)
    assert first != list(made.made_events(other, START_MS))


def test_every_event_decodes_counts_once_and_is_of_the_stated_size() -> None:
    pairs = list(made.made_events(LOAD, START_MS))
    values = [msgspec.json.encode(event) for _, event in pairs]
    for value, (at_ms, event) in zip(values, pairs, strict=True):
        assert decode(value, (), at_ms) == event
        assert event.time_ms == at_ms
        assert len(event.items) == 1
        assert 150 <= len(value) <= 300
    assert len({event.event_id for _, event in pairs}) == len(pairs)
    assert len({event.user_id for _, event in pairs}) == 100


def test_the_bare_loop_imports_nothing_but_its_three_libraries() -> None:
    tree = ast.parse((ROOT / "benchmarks" / "bare_ingest.py").read_text())
    roots = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert roots - sys.stdlib_module_names == {"aiokafka", "msgspec", "redis"}


def test_an_installation_without_the_tree_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"no benchmarks/ingest\.py.*source tree"):
        benchmark("ingest", tmp_path)
