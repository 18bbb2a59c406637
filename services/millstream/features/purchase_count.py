"""How many purchases a shopper made. Exact; a refund takes nothing back."""

from millstream.domain.events import EventType
from millstream.features.writes import UserFeature, Write

PURCHASE_COUNT = UserFeature[int](
    name="purchase_count",
    write=Write.COUNT,
    on=frozenset({EventType.PURCHASE}),
    read=lambda stored, _now_ms: int(stored),
)
