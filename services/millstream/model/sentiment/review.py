"""What a customer wrote of an item, bounded, and without markup."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

from millstream.domain.reviews import MAX_TEXT_CHARS, MAX_TITLE_CHARS

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")


class ReviewText(NamedTuple):
    title: str
    text: str


def plain(written: str, limit: int) -> str:
    """The first `limit` characters in lower case, tags and entities resolved, one kind of
    apostrophe. What lies beyond is not read: a long review has said what it thinks by then."""
    text = html.unescape(_TAG.sub(" ", written[:limit]))
    return unicodedata.normalize("NFKC", text).replace("’", "'").lower()


def plain_review(review: ReviewText) -> ReviewText:
    return ReviewText(plain(review.title, MAX_TITLE_CHARS), plain(review.text, MAX_TEXT_CHARS))
