"""At most `bought_before` items that the shopper bought already, and at most `looked_at` that the
shopper only touched: who buys again mostly buys what was bought, and the list has room for it."""

from millstream.ranking.items import Mask
from millstream.ranking.policy.rule import Lines

NAME = "repeats"


def keeps(lines: Lines, asked: Mask) -> Mask:
    settings = lines.settings
    bought, looked_at = lines.bought, lines.touched & ~lines.bought
    return ~(bought & _beyond(settings.bought_before, bought & asked)) & ~(
        looked_at & _beyond(settings.looked_at, looked_at & asked)
    )


def _beyond(room: int, counted: Mask) -> Mask:
    return counted.cumsum(axis=1) > room
