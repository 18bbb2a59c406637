"""The catalogue says that the item can't be had."""

from millstream.ranking.policy.rule import Keeps
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper

NAME = "out_of_stock"


def keeps(_shopper: Shopper, shop: Shop, _settings: RankingSettings) -> Keeps:
    return lambda scored: (item := shop.item(scored.item_id)) is None or item.in_stock
