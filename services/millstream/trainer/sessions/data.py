"""Reading the published split: training sessions one a line, test rows with prefix and target."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from millstream.domain.errors import OperatorError
from millstream.model.sessions.ragged import Ints
from millstream.model.sessions.session_log import SessionLog, offsets, session_log

TRAIN_NAME = "train_sessions.txt.gz"
TEST_NAME = "test_prefix_target.tsv.gz"
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Questions:
    """n sessions as far as they are known, and (n,) the row of each one's next item, UNKNOWN for
    an item that no training session has."""

    sessions: SessionLog
    targets: Ints

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class World:
    """One data folder. Rows of the catalogue go by first appearance in the training file, so that
    other names for the items change nothing. `least`: touches of the shortest question."""

    items: int
    train: SessionLog
    test: Questions
    least: int


def read_world(directory: Path) -> World:
    """Blocks for seconds. Raises OperatorError where a file is missing or not of that form."""
    row, train, least = _training(directory)
    prefixes, targets = [], []
    for line in text_lines(directory / TEST_NAME):
        columns = line.split("\t")
        if len(columns) < 2:
            raise OperatorError(
                TEST_NAME, "a line without a tab", "prefix TAB target", "Give the folder as it came"
            )
        prefixes.append([row[item] for item in columns[0].split() if item in row])
        targets.append(row.get(columns[1].strip(), UNKNOWN))
    if not targets:
        raise OperatorError("the data folder", f"{directory}, an empty file", "rows to ask")
    test = Questions(session_log(prefixes), np.array(targets, dtype=np.int64))
    return World(len(row), train, test, least)


def read_training(directory: Path) -> tuple[int, SessionLog, int]:
    """As `items`, `train` and `least` of World; the test file is not read. Raises as read_world."""
    row, train, least = _training(directory)
    return len(row), train, least


def _training(directory: Path) -> tuple[dict[str, int], SessionLog, int]:
    row: dict[str, int] = {}
    lines = [line.split() for line in text_lines(directory / TRAIN_NAME)]
    train = [[row.setdefault(item, len(row)) for item in line] for line in lines]
    if not row:
        raise OperatorError("the data folder", f"{directory}, an empty file", "sessions")
    return row, session_log(train), max(1, min(len(line) for line in train) - 1)


def text_lines(path: Path) -> Iterator[str]:
    """Of a gzip file, each with its line break. Raises OperatorError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from file
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"the data file {path.name}", f"{path} ({error})", "a gzip file of text", "See --data"
        ) from None


def questions(log: SessionLog, least: int) -> Questions:
    """Every touch of every session but its first `least`, asked for from what came before it."""
    position = np.arange(len(log.items)) - log.starts[log.owners()]
    asked = np.flatnonzero(position >= least)
    return Questions(log.cut(asked - position[asked], position[asked]), log.items[asked])


def hold_out(log: SessionLog, share: float) -> tuple[SessionLog, SessionLog]:
    """The last sessions, which hold at least `share` of all touches, apart; without items that
    the others do not have, as the published test files are."""
    cut = int(np.searchsorted(log.starts, log.starts[-1] * (1.0 - share), side="right")) - 1
    before = log.take(np.arange(cut))
    after = log.take(np.arange(cut, len(log)))
    known = np.isin(after.items, before.items)
    lengths = np.bincount(after.owners()[known], minlength=len(after))
    kept = SessionLog(after.items[known], offsets(lengths))
    return before, kept.take(np.flatnonzero(lengths > 1))


def sample(asked: Questions, count: int, rng: np.random.Generator) -> Questions:
    """`count` of them, or all, in their order."""
    chosen = np.sort(rng.permutation(len(asked))[:count])
    return Questions(asked.sessions.take(chosen), asked.targets[chosen])
