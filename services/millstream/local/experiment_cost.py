"""What ranking costs where a portion is parted by variant, beside the same portion in one."""

from __future__ import annotations

import time
from collections import Counter
from statistics import median

from millstream.local.online_retail import invoice_events, read_invoices
from millstream.ranking.items import ItemTable
from millstream.ranking.rank import rank
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

EVENTS = 4_000
PORTION = 400
ROUNDS = 5


def parted_cost(parts: int) -> float:
    """CPU time of ranking newest shoppers of Online Retail in so many parts, over that in one.
    Blocks for some seconds."""
    shoppers, shop, now_ms = _portion()
    table, settings = ItemTable(), RankingSettings()

    def seconds(parts: int) -> float:
        size, began = len(shoppers) // parts, time.process_time()
        for at in range(0, size * parts, size):
            rank(shoppers[at : at + size], shop, None, settings, now_ms, table)
        return time.process_time() - began

    seconds(1)  # the table has been filled
    rounds = [(seconds(1), seconds(parts)) for _ in range(ROUNDS)]
    return round(median(parted / whole for whole, parted in rounds), 3)


def _portion() -> tuple[list[Shopper], ReplayedShop, int]:
    shop, names, now_ms = ReplayedShop(), dict[str, None](), 0
    events = (event for one in read_invoices() for event in invoice_events(one, Counter()))
    for _, event in zip(range(EVENTS), events, strict=False):
        shop.learn(event)
        names.pop(event.shopper, None)
        names[event.shopper] = None
        now_ms = event.time_ms
    newest = list(names)[-PORTION:]
    return [shop.shopper("default", name, now_ms) for name in newest], shop, now_ms
