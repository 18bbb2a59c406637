"""Labelled reviews: the file, folds in which no text stands twice, and the part that no version
ever learns from."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from millstream.domain.errors import OperatorError
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sessions.data import text_lines

FILE_NAME = "blitzer.jsonl.gz"

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reviews:
    """n reviews: what was written, (n,) 1 for a good one and 0 for a bad one, and the domain."""

    texts: tuple[ReviewText, ...]
    labels: Ints
    domains: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def joined(self, more: Reviews) -> Reviews:
        return Reviews(
            self.texts + more.texts,
            np.concatenate([self.labels, more.labels]),
            self.domains + more.domains,
        )

    def take(self, rows: Ints) -> Reviews:
        return Reviews(
            tuple(self.texts[row] for row in rows),
            self.labels[rows],
            tuple(self.domains[row] for row in rows),
        )


NONE = Reviews((), np.zeros(0, dtype=np.int64), ())


class _Line(Struct, frozen=True):
    domain: str
    label: int
    title: str
    text: str


def read_reviews(folder: Path) -> Reviews:
    """Raises OperatorError where the file is missing or not of that form."""
    decoder = msgspec.json.Decoder(_Line)
    lines = []
    for number, line in enumerate(text_lines(folder / FILE_NAME), start=1):
        try:
            lines.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise OperatorError(
                f"{FILE_NAME} line {number}", str(error), "domain, label, title and text"
            ) from None
        if lines[-1].label not in (0, 1):
            raise OperatorError(f"{FILE_NAME} line {number}", f"{lines[-1].label}", "label 0 or 1")
    return Reviews(
        tuple(ReviewText(line.title, line.text) for line in lines),
        np.array([line.label for line in lines], dtype=np.int64),
        tuple(line.domain for line in lines),
    )


def folds(reviews: Reviews, count: int) -> Ints:
    """(n,) the fold of each review. Reviews of one text, but for case and blanks, are together;
    the texts of each domain and label are spread evenly, in an order made from the text alone."""
    alike: dict[bytes, list[int]] = defaultdict(list)
    for row, review in enumerate(reviews.texts):
        alike[_digest(review)].append(row)
    found = np.zeros(len(reviews), dtype=np.int64)
    for place, digest in enumerate(_by_stratum(reviews, alike)):
        found[alike[digest]] = place % count
    return found


def held_out(reviews: Reviews, count: int) -> NDArray[np.bool_]:
    """(n,) about one in `count`, by the text alone, but for case and blanks: also in other data a
    text is on the same side. So a version that learnt from the rest of its data has seen none of
    what a later one is measured on, which `folds` can't promise: there more data deals anew."""
    drawn = (int.from_bytes(_digest(review)) % count == 0 for review in reviews.texts)
    return np.fromiter(drawn, dtype=np.bool_, count=len(reviews))


def _digest(review: ReviewText) -> bytes:
    text = " ".join(review.text.lower().split())
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _by_stratum(reviews: Reviews, alike: dict[bytes, list[int]]) -> Sequence[bytes]:
    def order(digest: bytes) -> tuple[str, int, bytes]:
        first = alike[digest][0]
        return reviews.domains[first], int(reviews.labels[first]), digest

    return sorted(alike, key=order)
