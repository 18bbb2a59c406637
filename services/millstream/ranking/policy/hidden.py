"""The catalogue hides the item."""

from millstream.ranking.items import Mask
from millstream.ranking.policy.rule import Lines

NAME = "hidden"


def keeps(lines: Lines, _asked: Mask) -> Mask:
    return ~lines.facts.hidden[lines.items]
