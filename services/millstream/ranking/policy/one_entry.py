"""An item stands in a list once, whatever a source or a blend does."""

from millstream.ranking.items import Mask
from millstream.ranking.policy.counting import place_in_group
from millstream.ranking.policy.rule import Lines

NAME = "one_entry"


def keeps(lines: Lines, asked: Mask) -> Mask:
    return place_in_group(lines.items, asked) < 1
