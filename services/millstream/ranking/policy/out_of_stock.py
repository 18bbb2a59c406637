"""The catalogue says that the item can't be had."""

from millstream.ranking.items import Mask
from millstream.ranking.policy.rule import Lines

NAME = "out_of_stock"


def keeps(lines: Lines, _asked: Mask) -> Mask:
    return ~lines.facts.out_of_stock[lines.items]
