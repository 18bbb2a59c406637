"""At most `bought_before` items that the shopper bought already, and at most `looked_at` that the
shopper only touched: who buys again mostly buys what was bought, and the list has room for it."""

from millstream.ranking.policy.rule import Keeps
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper

NAME = "repeats"


def keeps(shopper: Shopper, _shop: Shop, settings: RankingSettings) -> Keeps:
    touched = {touch.item_id for touch in shopper.recent}
    room = {"bought": settings.bought_before, "touched": settings.looked_at}

    def keep(scored: Scored) -> bool:
        if scored.item_id in shopper.bought:
            kind = "bought"
        elif scored.item_id in touched:
            kind = "touched"
        else:
            return True
        room[kind] -= 1
        return room[kind] >= 0

    return keep
