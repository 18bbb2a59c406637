"""Why an item stands in a list, in a sentence that a merchandiser can read."""

from __future__ import annotations

from millstream.domain.lists import RankedItem, Source
from millstream.ranking.score import Scored
from millstream.ranking.shop import Shop, Shopper


def explain(scored: Scored, shopper: Shopper, shop: Shop) -> RankedItem:
    return RankedItem(
        scored.item_id, round(scored.score, 6), scored.lead.source, _say(scored, shopper, shop)
    )


def _say(scored: Scored, shopper: Shopper, shop: Shop) -> str:
    match scored.lead.source:
        case Source.REPEAT:
            bought = scored.item_id in shopper.bought
            return "you bought it before" if bought else "you looked at it lately"
        case Source.COVISITED:
            return f"others took it with {_name(scored.lead.because, shop)}"
        case Source.EMBEDDING if scored.lead.because:
            return f"close to your taste, after {_name(scored.lead.because, shop)}"
        case Source.EMBEDDING:
            return "close to your taste"
        case Source.POPULAR:
            return "popular lately"
        case Source.NEW:
            return "new in the shop"


def _name(item_id: str | None, shop: Shop) -> str:
    if item_id is None:
        return "what you saw"
    item = shop.item(item_id)
    return item.title if item is not None and item.title else item_id
