"""An item stands in a list once, whatever a source or a blend does."""

from millstream.ranking.policy.rule import Keeps
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper

NAME = "one_entry"


def keeps(_shopper: Shopper, _shop: Shop, _settings: RankingSettings) -> Keeps:
    seen: set[str] = set()

    def keep(scored: Scored) -> bool:
        first = scored.item_id not in seen
        seen.add(scored.item_id)
        return first

    return keep
