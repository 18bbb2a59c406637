"""What the shop sells, as its catalogue topic says."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from millstream.domain.events import Id, Money, Tenant, Text, Timestamp


class CatalogueItem(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An upsert; a record with a null value takes the item out of the catalogue. `units_in_stock`:
    null where the shop does not tell; `in_stock` alone decides whether it is shown."""

    item_id: Id
    added_at: Annotated[Timestamp, Meta(description="New items are shown for being new")]
    tenant: Tenant = "default"
    title: Annotated[str, Meta(max_length=1024)] = ""
    category: Text = ""
    price: Money | None = None
    in_stock: bool = True
    units_in_stock: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    hidden: Annotated[bool, Meta(description="In no list")] = False
    bought_once: Annotated[
        bool, Meta(description="Nobody buys it twice, so a buyer is not shown it again")
    ] = False
