"""Words of the shop that a word may be meant for: those that become alike when each loses at most
one letter (symmetric deletes, Garbe, 2012): one left out, doubled, replaced, or two changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from millstream.search.postings import Collection

LEAST_LETTERS = 4
"""Shorter ones are near too many others."""
_MOST = 3
_CORRECTED = 0.8
"""Of a word's weight where it was not written so."""


class Spelling:
    """Memory: some ten entries a word; never changed once built."""

    def __init__(self, words: Iterable[str]) -> None:
        forms: defaultdict[str, list[str]] = defaultdict(list)
        for word in words:
            if len(word) >= LEAST_LETTERS:
                for form in _forms(word):
                    forms[form].append(word)
        self._forms = dict(forms)

    def near(self, word: str) -> set[str]:
        if len(word) < LEAST_LETTERS:
            return set()
        return {near for form in _forms(word) for near in self._forms.get(form, ())}


def _forms(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def meant(
    words: Iterable[str], shop: Collection, spellings: Sequence[Spelling]
) -> dict[str, float]:
    """Rarities as shares of 1: of each word, or, where no text has it, of those near it that most
    texts have, a little less."""
    rarity: dict[str, float] = {}
    for word in dict.fromkeys(words):
        if shop.count(word):
            rarity[word] = shop.rarity(word)
            continue
        near = sorted({other for one in spellings for other in one.near(word)})
        near = sorted(filter(shop.count, near), key=shop.count, reverse=True)[:_MOST]
        for other in near or [word]:
            rarity[other] = max(rarity.get(other, 0.0), _CORRECTED * shop.rarity(other))
    total = sum(rarity.values())
    return {word: value / total for word, value in rarity.items()}
