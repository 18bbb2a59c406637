"""Made-up reviews, for a demo and for load: nobody wrote them of anything.

Data sets of real reviews may not be passed on, so none ships. These are put together from the
sentences below; what a model scores on them says nothing of how it judges what people write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.data import Reviews

DOMAIN = "made up"

_BOUGHT = (
    "Bought it for the kitchen",
    "I took two of these for my sister",
    "It came on a Tuesday",
    "We had it on the table for a week",
    "A present for a colleague",
    "Ordered with some other bits",
    "My second one this year",
    "It stands by the window now",
    "Picked it because of the picture",
    "Needed something for the hall",
    "Got it for the garden party",
    "The children unpacked it",
)
_GOOD = (
    "It is sturdy and well made",
    "The colours are lovely",
    "Far better than on the picture",
    "I would buy it again at once",
    "Everybody asks where I found it",
    "A charming piece and worth the money",
    "It arrived quickly and in one piece",
    "My mother was delighted with it",
    "The finish is excellent",
    "Perfect size and very pretty",
    "I have not regretted it for a moment",
    "It still looks like new",
    "Simply beautiful",
    "Great quality for what it costs",
)
_BAD = (
    "It broke on the second day",
    "The colours are dull and nothing like the picture",
    "Flimsy and badly made",
    "I sent it back at once",
    "It came with a crack and a smell",
    "A waste of money",
    "The lid does not fit",
    "I would not buy it again",
    "The paint came off when I washed it",
    "Far too small and quite useless",
    "My sister was disappointed",
    "It fell apart in my hands",
    "Cheap plastic and rough edges",
    "I regret that I ordered it",
)
_TITLES = {
    True: ("Lovely", "Very happy", "Just right", "A good buy", "Recommended", ""),
    False: ("Disappointed", "Not again", "Poor", "Went back", "Do not bother", ""),
}


@dataclass(frozen=True, slots=True)
class MadeReview:
    """`good`: which sentences it was made of."""

    title: str
    text: str
    good: bool


def made_up(random: Random, liked: float = 0.5) -> MadeReview:
    """A good one with the probability `liked`."""
    good = random.random() < liked
    said = random.sample(_GOOD if good else _BAD, random.choice((1, 2, 2, 3)))
    opening = [random.choice(_BOUGHT)] if random.random() < 0.8 else []
    return MadeReview(random.choice(_TITLES[good]), ". ".join([*opening, *said]) + ".", good)


def made_up_labelled(count: int, seed: int) -> Reviews:
    """No text twice. Endless where there are not so many."""
    reviews = list(_distinct(count, Random(seed)))  # noqa: S311  nothing secret
    return Reviews(
        tuple(ReviewText(one.title, one.text) for one in reviews),
        np.array([int(one.good) for one in reviews], dtype=np.int64),
        (DOMAIN,) * count,
    )


def _distinct(count: int, random: Random) -> Iterator[MadeReview]:
    seen: set[str] = set()
    while len(seen) < count:
        one = made_up(random)
        if one.text not in seen:
            seen.add(one.text)
            yield one
