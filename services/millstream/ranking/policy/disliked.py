"""Too many of those who wrote of the item do not like it."""

from millstream.ranking.items import Mask
from millstream.ranking.policy.rule import Lines

NAME = "disliked"


def keeps(lines: Lines, _asked: Mask) -> Mask:
    reviews, liked = lines.facts.reviews[lines.items], lines.facts.liked[lines.items]
    settings = lines.settings
    return (reviews < settings.least_reviews) | (1 - liked <= settings.most_disliked)
