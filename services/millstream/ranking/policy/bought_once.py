"""The shopper has it, and the catalogue says that nobody buys it twice."""

from millstream.ranking.policy.rule import Keeps
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper

NAME = "bought_once"


def keeps(shopper: Shopper, shop: Shop, _settings: RankingSettings) -> Keeps:
    def keep(scored: Scored) -> bool:
        item = shop.item(scored.item_id) if scored.item_id in shopper.bought else None
        return item is None or not item.bought_once

    return keep
