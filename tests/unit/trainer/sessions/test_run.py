from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from millstream.domain.errors import OperatorError
from millstream.trainer.sessions.fit import CurvePoint
from millstream.trainer.sessions.run import Facts, Journal, Run, digest

RANKS = {"blend": np.array([1, 4, 9]), "encoder": np.array([2, 2, 2])}
FACTS = Facts("made", 3, 7.5, 1.25, (0.5, 0.25), (CurvePoint(0.1, 0.5, 0.25),))


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    Journal(tmp_path / "kept", "made").write(Run(FACTS, RANKS))

    found = Journal(tmp_path / "kept", "made").read(3)

    assert found is not None
    assert found.facts == FACTS
    assert {name: ranks.tolist() for name, ranks in found.ranks.items()} == {
        "blend": [1, 4, 9],
        "encoder": [2, 2, 2],
    }
    assert Journal(tmp_path / "kept", "made").read(0) is None


def test_a_run_of_other_data_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path, "made").write(Run(FACTS, RANKS))

    with pytest.raises(OperatorError, match="other data, settings or code"):
        Journal(tmp_path, "other").read(3)


def test_half_a_file_is_told(tmp_path: Path) -> None:
    Journal(tmp_path, "made").write(Run(FACTS, RANKS))
    path = tmp_path / "seed-3.npz"
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(OperatorError, match="Remove the file"):
        Journal(tmp_path, "made").read(3)


def test_the_digest_knows_files_and_settings(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("b")

    assert digest([one], 1) == digest([one], 1)
    assert len({digest([one], 1), digest([one], 2), digest([other], 1)}) == 3
    with pytest.raises(OperatorError, match="gone"):
        digest([tmp_path / "gone"], 1)
