"""Reviews as numbered terms: n-grams of words with their field packed into one integer.

A key is field, first, second and third word id in 2 + 3 x 19 bits; ids begin at 1, and 0 stands
for no word. Fields: n-grams of one to three words of text or title; one or two words of the title
once more by themselves; words that follow a negation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.model.sentiment.review import ReviewText, plain_review
from millstream.model.vocabulary import Vocabulary

Keys = NDArray[np.int64]

_BITS = 19
MAX_WORDS = (1 << _BITS) - 1
_TITLE, _NEGATED = 1 << 3 * _BITS, 2 << 3 * _BITS
_REACH = 4
"""A negation turns so many words after it, or those up to the next punctuation mark."""

_TOKEN = re.compile(r"\w+(?:'\w+)?|[!?.,;:()]+|[^\s\w]")
_NEGATION = re.compile(
    r"not|no|never|cannot|nothing|nobody|nowhere|neither|nor|without|hardly|barely|\w+n't"
    r"|(?:do|does|did|is|was|wo|ca|could|would|should|are|were|have|has|had|ai)nt"
)


class Terms(NamedTuple):
    """Of one review: distinct keys, rising, and how often each comes; ids of the distinct words of
    its text; ids of the words of its title."""

    keys: Keys
    counts: Keys
    text_words: Keys
    title_words: Keys


class ReviewTokens(NamedTuple):
    title: list[str]
    text: list[str]


def tokens(review: ReviewText) -> ReviewTokens:
    """Words, numbers and punctuation marks, bounded as `plain_review` does."""
    title, text = plain_review(review)
    return ReviewTokens(_TOKEN.findall(title), _TOKEN.findall(text))


def is_word(token: str) -> bool:
    return token[0].isalpha()


@dataclass(frozen=True, slots=True)
class _Kinds:
    """By id: (words + 1,) bool."""

    word: NDArray[np.bool_]
    negation: NDArray[np.bool_]
    mark: NDArray[np.bool_]


class TermReader:
    """Raises ValueError for more words than an id has room for."""

    def __init__(self, words: Vocabulary) -> None:
        if len(words) > MAX_WORDS:
            raise ValueError(f"{len(words)} words, at most {MAX_WORDS} have room in a key")
        self._words = words
        known = ["", *words.ids]
        self._kinds = _Kinds(
            np.array([bool(word) and is_word(word) for word in known]),
            np.array([_NEGATION.fullmatch(word) is not None for word in known]),
            np.array([bool(word) and not (word[0].isalnum() or word[0] == "_") for word in known]),
        )

    def read(self, said: ReviewTokens) -> Terms:
        title, text = self._ids(said.title), self._ids(said.text)
        parts = [
            *ngrams(text, 3),
            *ngrams(title, 3),
            *(part | _TITLE for part in ngrams(title, 2)),
            self._negated(text) | _NEGATED,
        ]
        keys, counts = np.unique(np.concatenate(parts), return_counts=True)
        return Terms(keys, counts, np.unique(self._only_words(text)), self._only_words(title))

    def _ids(self, said: list[str]) -> Keys:
        return self._words.rows(said).astype(np.int64) + 1

    def _only_words(self, ids: Keys) -> Keys:
        return ids[self._kinds.word[ids]]

    def _negated(self, ids: Keys) -> Keys:
        """The words in reach of a negation, first in the key."""
        place = np.arange(len(ids))
        none = np.full(len(ids), -len(ids) - _REACH)
        negation = self._kinds.negation[ids]
        last_negation = np.maximum.accumulate(np.where(negation, place, none))
        last_mark = np.maximum.accumulate(np.where(self._kinds.mark[ids], place, none))
        reached = (place - last_negation <= _REACH) & (last_mark < last_negation)
        return ids[reached & ~negation & (ids > 0)] << 2 * _BITS


def ngrams(ids: Keys, longest: int) -> list[Keys]:
    """Keys of the runs of 1 to `longest` (at most 3) known words."""
    found = []
    for length in range(1, longest + 1):
        runs = len(ids) - length + 1
        if runs <= 0:
            break
        key, known = np.zeros(runs, dtype=np.int64), np.ones(runs, dtype=bool)
        for place in range(length):
            word = ids[place : place + runs]
            key |= word << (2 - place) * _BITS
            known &= word > 0
        found.append(key[known])
    return found
