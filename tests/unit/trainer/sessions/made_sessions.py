"""A small made-up world of sessions: items in circles, walked along, with steps back."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from millstream.trainer.sessions.data import TEST_NAME, TRAIN_NAME

CIRCLE = 12


def made_sessions(count: int, circles: int, seed: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    sessions = []
    for _ in range(count):
        circle, place = int(rng.integers(circles)), int(rng.integers(CIRCLE))
        walk = [place]
        for _ in range(int(rng.integers(2, 7))):
            place = int((place + rng.choice([1, 1, 1, 2, -1, 0])) % CIRCLE)
            walk.append(place)
        sessions.append([circle * CIRCLE + step + 1 for step in walk])
    return sessions


def questions_of(sessions: Sequence[Sequence[int]]) -> list[tuple[list[int], int]]:
    """Longest prefix of a session first, as the published files have it."""
    return [
        (list(session[:cut]), session[cut])
        for session in sessions
        for cut in range(len(session) - 1, 0, -1)
    ]


def write_world(
    directory: Path, train: Sequence[Sequence[int]], test: Sequence[tuple[Sequence[int], int]]
) -> Path:
    directory.mkdir()
    with gzip.open(directory / TRAIN_NAME, "wt") as file:
        file.writelines(" ".join(map(str, session)) + "\n" for session in train)
    with gzip.open(directory / TEST_NAME, "wt") as file:
        file.writelines(f"{' '.join(map(str, prefix))}\t{target}\n" for prefix, target in test)
    return directory
