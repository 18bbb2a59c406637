"""What a question is after, and the words by which it names an item; by rules alone.

The kinds are tried in order: the first whose pattern stands in the question is meant. The words of
the pattern and those that name nothing are taken off; all others must be the item's."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from millstream.search.terms import plain, words


class Kind(StrEnum):
    STOCK = "stock"
    PRICE = "price"
    CHEAPER = "cheaper"
    WHY = "why"
    REVIEWS = "reviews"
    UNKNOWN = "unknown"


class Asked(Struct, frozen=True):
    """`named`: words as search reads them; none where the question says `it`."""

    kind: Kind
    named: tuple[str, ...] = ()


_PATTERNS: tuple[tuple[Kind, str], ...] = (
    # What is, not what was or will be; and nothing that is to be done.
    (
        Kind.UNKNOWN,
        r"^(when|where|who|will)\b(?!.*\bstock\b)|\b(last|next) (week|month|year)\b|^cancel\b",
    ),
    (Kind.REVIEWS, r"\b(reviews?|rat(ed|ings?)|opinions?|any good|buyers|customers|people)\b"),
    (
        Kind.CHEAPER,
        r"\bcheaper\b|\bless (expensive|pricey|money|costly)\b|\btoo (expensive|much|dear|pricey)\b"
        r"|\blower price\b|\bbudget\b",
    ),
    (Kind.STOCK, r"\b(in|out of|back in) stock\b|\bsold out\b|\bavailab(le|ility)\b|\bstock\b"),
    (Kind.WHY, r"\bwhy\b|\bhow come\b|\breasons?\b|\bexplain\b|\bhow did\b"),
    (
        Kind.PRICE,
        r"\bprices?( tag)?\b|\bcosts?\b|\bexpensive\b|\bhow (much|many (pounds|euros|dollars))\b"
        r"|\bcharge\b|\bpay\b",
    ),
    (
        Kind.STOCK,
        r"\b(do|would|have|can|could) (you|i)( \w+)? (have|sell|got|stock|buy|order|get)\b"
        r"|\bhave you\b|\b(got|any|left|buy|order|sell|had)\b",
    ),
)

_NAMES_NOTHING = frozenset(
    words(
        """
        a about alternative alternatives also am an and another any anything appear are as at be
        been but buy by can come could did do does else expensive find for from get give got had
        has have hello hi how i if in into is it item just keep left less like list lot many may
        me money more much my need now of offered on one ones or order other out page pay please
        pricey product recommend recommendation recommendations recommended right said say saying
        says see seeing sell shop show showing shown similar so some something still stock suggest
        suggested tell than thank thanks that the them there these they thing think this those to
        today too version want was way we well what whats when which will with would yes you your
        s t
        """
    )
)


def asked(question: str) -> Asked:
    text = " ".join(plain(question).replace("'", " ").split())
    for kind, pattern in _PATTERNS:
        if re.search(pattern, text):
            left = words(re.sub(pattern, " ", text))
            return Asked(kind, tuple(word for word in left if word not in _NAMES_NOTHING))
    return Asked(Kind.UNKNOWN)
