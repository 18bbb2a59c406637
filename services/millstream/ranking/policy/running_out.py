"""The stock will not last: whoever comes for the item tomorrow would find none."""

from millstream.ranking.items import Mask
from millstream.ranking.policy.rule import Lines

NAME = "running_out"


def keeps(lines: Lines, _asked: Mask) -> Mask:
    return lines.facts.days_of_stock[lines.items] >= lines.settings.least_days_of_stock
