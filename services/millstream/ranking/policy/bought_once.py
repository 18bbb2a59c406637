"""The shopper has it, and the catalogue says that nobody buys it twice."""

from millstream.ranking.items import Mask
from millstream.ranking.policy.rule import Lines

NAME = "bought_once"


def keeps(lines: Lines, _asked: Mask) -> Mask:
    return ~(lines.facts.bought_once[lines.items] & lines.bought)
