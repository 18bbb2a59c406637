"""A small made-up world of reviews: praise, blame, both of them negated, and sarcasm."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.data import FILE_NAME, Reviews

PRAISE = ("great", "lovely", "sturdy", "perfect", "charming")
BLAME = ("awful", "flimsy", "useless", "ugly", "terrible")
THINGS = ("lamp", "kettle", "cushion", "novel", "film", "radio", "clock", "bowl")
DOMAINS = ("books", "kitchen")
SARCASM = "oh great , just great . it broke on day one"


def made_reviews(count: int, seed: int, *, plain: bool = False) -> Reviews:
    """Good and bad in turn; `plain`: without negation and sarcasm."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(count):
        good = number % 2 == 0
        texts.append(_written(good, rng, 2 if plain else int(rng.integers(5))))
        labels.append(int(good))
    domains = tuple(DOMAINS[number % 4 // 2] for number in range(count))
    return Reviews(tuple(texts), np.array(labels, dtype=np.int64), domains)


def _written(good: bool, rng: np.random.Generator, kind: int) -> ReviewText:
    thing = rng.choice(THINGS)
    if kind == 4 and not good:
        return ReviewText(f"the {thing}", f"{SARCASM} , this {thing} {rng.integers(1000)}")
    negated = kind in (0, 1)
    word = rng.choice(PRAISE if good != negated else BLAME)
    said = f"this {thing} is not {word}" if negated else f"this {thing} is {word}"
    return ReviewText(f"the {thing}", f"{said} . we had it for {rng.integers(1000)} days")


def made_vectors(words: Sequence[str]) -> FloatArray:
    """(n, 8) of unit length, by the word alone; nearly the same for words of praise."""
    rows = []
    for word in words:
        rng = np.random.default_rng(zlib.crc32(word.encode()))
        vector = rng.normal(size=8)
        if word in (*PRAISE, "splendid"):
            vector[0] += 12.0
        rows.append(vector / np.linalg.norm(vector))
    return np.array(rows, dtype=np.float32).reshape(-1, 8)


def write_reviews(folder: Path, reviews: Reviews) -> Path:
    with gzip.open(folder / FILE_NAME, "wb") as file:
        rows = zip(reviews.texts, reviews.labels.tolist(), reviews.domains, strict=True)
        for (title, text), label, domain in rows:
            line = {"domain": domain, "label": label, "title": title, "text": text, "rating": 5.0}
            file.write(msgspec.json.encode(line) + b"\n")
    return folder
