"""At most `per_category` items of one category; an item without a category is not held back."""

from collections import Counter

from millstream.ranking.policy.rule import Keeps
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper

NAME = "per_category"


def keeps(_shopper: Shopper, shop: Shop, settings: RankingSettings) -> Keeps:
    taken: Counter[str] = Counter()

    def keep(scored: Scored) -> bool:
        item = shop.item(scored.item_id)
        if item is None or not item.category:
            return True
        taken[item.category] += 1
        return taken[item.category] <= settings.per_category

    return keep
