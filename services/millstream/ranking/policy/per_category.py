"""At most `per_category` items of one category; an item without a category is not held back."""

from millstream.ranking.items import NOTHING, Mask
from millstream.ranking.policy.counting import place_in_group
from millstream.ranking.policy.rule import Lines

NAME = "per_category"


def keeps(lines: Lines, asked: Mask) -> Mask:
    categories = lines.facts.category[lines.items]
    places = place_in_group(categories, asked & (categories != NOTHING))
    return places < lines.settings.per_category
