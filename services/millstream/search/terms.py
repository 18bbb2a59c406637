"""A text as what it is found by: words, and runs of three letters that outlive a misspelling."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 1024
"""Of a text what follows is not looked at."""

_WORD = re.compile(r"[^\W_]+")


def plain(text: str) -> str:
    """Lower case without accents; bounded; what UTF-8 can't have is a question mark."""
    text = text[:MAX_CHARS].encode(errors="replace").decode()
    apart = unicodedata.normalize("NFKD", text).lower()
    return "".join(char for char in apart if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """Of a `plain` text, in its order, the plural's s taken off."""
    return [_singular(word) for word in _WORD.findall(text)]


def trigrams(said: list[str]) -> list[str]:
    """Of each word between blanks, so that its beginning and its end are known."""
    padded = (f" {word} " for word in said)
    return [word[at : at + 3] for word in padded for at in range(len(word) - 2)]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
