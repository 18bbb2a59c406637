"""What the replayed shop says of its goods: title, category, and what is no goods at all."""

from __future__ import annotations

import re
from datetime import datetime

from millstream.domain.catalogue import CatalogueItem

# Stock codes that book a service or a correction: catalogue entries, but hidden from lists.
NOT_GOODS = frozenset(
    {"AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "m", "POST", "S"}
)

# The shop's own categories are not published. These are the nouns that end, or stand late in,
# most of its titles, so the last of them in a title names the thing that is sold.
_NOUNS = """
    album apron bag ball bank basket beads beaker bell bin bird block board book bottle
    bowl box bracelet brooch brush bunting cabinet calendar candle card case chain chair
    chalk charm clip clock coaster colander container cover cube cup curtain cushion cutlery
    decoration dish doll doormat doorstop drawer earring egg eraser fan flannel flower fork
    frame game garland glass glove handbag hanger heart holder hook jar jewellery jigsaw
    journal jug kit knob ladder lamp lampshade lantern letter light magnet mat mirror mould
    mug napkin necklace notebook ornament pan parasol peg pen pencil pin placemat planter
    plaque plate poster pot puppet purse rack ribbon ring sack saucer scale scarf scissor
    screen shelf sign sketchbook slate spoon stand star stationery sticker stocking stool
    stopper straw tag tape teapot thermometer tidy tile tin tissue towel toy tray tree tube
    umbrella vase wallet warmer washbag wrap wreath
"""
CATEGORIES = frozenset(_NOUNS.split())

_WORD = re.compile(r"[a-z]+")


def category_of(title: str) -> str:
    """The last word of the title that is a category, singular; empty when there is none."""
    words = [match.group() for match in _WORD.finditer(title.lower())]
    for word in reversed(words):
        for form in (word, word.removesuffix("s"), word.removesuffix("es")):
            if form in CATEGORIES:
                return form
    return ""


def catalogue_item(item_id: str, title: str, price: float, added_at: datetime) -> CatalogueItem:
    """`price` is the first unit price seen; a line without a title takes its stock code."""
    return CatalogueItem(
        item_id=item_id,
        added_at=added_at,
        title=title.capitalize() or item_id,
        category="" if item_id in NOT_GOODS else category_of(title),
        price=price,
        hidden=item_id in NOT_GOODS,
    )
