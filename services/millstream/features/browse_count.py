"""How many items a shopper opened (view_item and select_item). Exact."""

from millstream.domain.events import BROWSE
from millstream.features.writes import UserFeature, Write

BROWSE_COUNT = UserFeature[int](
    name="browse_count",
    write=Write.COUNT,
    on=BROWSE,
    read=lambda stored, _now_ms: int(stored or 0),
)
