"""What a storefront already tells others, said as our events.

for outcome in ADAPTERS["segment"](message):
    if isinstance(outcome, Mapped):
        client.track_nowait(outcome.type, **outcome.fields)
"""

from millstream.client.adapters import ga4, segment, snowplow
from millstream.client.adapters.outcome import Adapter, Faulty, Mapped, NotOurs, Outcome

ADAPTERS: dict[str, Adapter] = {
    "ga4": ga4.outcomes,
    "segment": segment.outcomes,
    "snowplow": snowplow.outcomes,
}

__all__ = ["ADAPTERS", "Adapter", "Faulty", "Mapped", "NotOurs", "Outcome"]
