"""Queries of shoppers who know which item they mean, made from its title by a rule each.

dropped: a third of the words, rounded, at least one, is left out; of one or two words none.
reordered: the words in any order.
misspelt: a third of the words, rounded, at least one, of those with four letters or more, has one
  letter left out, doubled, replaced, or changed with the next.
mixed: dropped, then reordered, then misspelt.
short: two of the words in any order, one of them misspelt if it is long enough; of titles with more
  than two. Many items have the same two words, so that it has a figure of its own.
other words: each word of OTHER_WORDS by what stands there for it; titles without one have no such
  query. It asks for meaning, which the others do not, so that it has a figure of its own.

Titles that are the same but for case and blanks are the same item: any of them is the one meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from random import Random
from string import ascii_lowercase

from msgspec import Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.search.quality.other_words import OTHER_WORDS

_LEAST_LETTERS = 4
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")

Change = Callable[[list[str], Random], list[str]]


class KnownItem(Struct, frozen=True):
    """`meant`: of the items, by `same_title`."""

    rule: str
    text: str
    meant: str


def same_title(title: str) -> str:
    return " ".join(title.lower().split())


def dropped(words: list[str], rng: Random) -> list[str]:
    if len(words) < 3:
        return words
    gone = set(rng.sample(range(len(words)), _third(words)))
    return [word for place, word in enumerate(words) if place not in gone]


def reordered(words: list[str], rng: Random) -> list[str]:
    return rng.sample(words, len(words))


def misspelt(words: list[str], rng: Random) -> list[str]:
    long = [
        place for place, word in enumerate(words) if len(word) >= _LEAST_LETTERS and word.isalpha()
    ]
    chosen = set(rng.sample(long, min(len(long), _third(words))))
    return [_typo(word, rng) if place in chosen else word for place, word in enumerate(words)]


def mixed(words: list[str], rng: Random) -> list[str]:
    return misspelt(reordered(dropped(words, rng), rng), rng)


def short(words: list[str], rng: Random) -> list[str]:
    return misspelt(rng.sample(words, min(2, len(words))), rng)


def in_other_words(words: list[str], _rng: Random) -> list[str]:
    return [OTHER_WORDS.get(word, OTHER_WORDS.get(word.removesuffix("s"), word)) for word in words]


SHORT, OTHER = "short", "other words"
APART = frozenset({SHORT, OTHER})
"""Rules with figures of their own."""
RULES: dict[str, Change] = {
    "dropped": dropped,
    "reordered": reordered,
    "misspelt": misspelt,
    "mixed": mixed,
    SHORT: short,
    OTHER: in_other_words,
}


def known_items(items: Iterable[CatalogueItem], seed: int) -> list[KnownItem]:
    """One query per item and rule. An item's queries are the same whatever the others are."""
    found = []
    for item in items:
        words = _WORD.findall(item.title.lower())
        for rule, change in RULES.items():
            rng = Random(f"{seed} {rule} {item.item_id}")  # noqa: S311  no secret
            said = change(words, rng)
            if said and _asks(rule, words, said):
                found.append(KnownItem(rule, " ".join(said), same_title(item.title)))
    return found


def halves(
    items: Sequence[CatalogueItem], seed: int
) -> tuple[list[CatalogueItem], list[CatalogueItem]]:
    """Items of the same title fall into the same half."""
    parts: tuple[list[CatalogueItem], list[CatalogueItem]] = [], []
    for item in items:
        rng = Random(f"{seed} {same_title(item.title)}")  # noqa: S311  no secret
        parts[rng.random() < 0.5].append(item)
    return parts


def _asks(rule: str, words: list[str], said: list[str]) -> bool:
    if rule == SHORT:
        return len(words) > 2
    return rule != OTHER or said != words


def _third(words: Sequence[str]) -> int:
    return max(1, round(len(words) / 3))


def _typo(word: str, rng: Random) -> str:
    at = rng.randrange(len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    return rng.choice(
        (
            before + after,
            before + letter + letter + after,
            before + rng.choice(ascii_lowercase.replace(letter, "")) + after,
            before + after[0] + letter + after[1:],
        )
    )
