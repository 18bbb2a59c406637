"""What a storefront installs: send what shoppers do, read what they are recommended.

with Client("kafka:9092", tenant="shop", pseudonyms=load_pseudonyms("shop")) as client:
    event = client.track("view_item", user_id="17850", items=["85123A"])
    answer = client.recommendations(event.shopper, after=event)
"""

from millstream.client.asynchronous import AsyncClient
from millstream.client.blocking import Client
from millstream.client.composition import EventFields, InvalidEvent
from millstream.client.outbox import DeliveryFailed, OutboxFull
from millstream.domain.events import Event, EventType, Line
from millstream.domain.lists import RankedItem, RecommendationList
from millstream.domain.pseudonyms import Pseudonyms
from millstream.privacy.key_files import newest as load_pseudonyms

__all__ = [
    "AsyncClient",
    "Client",
    "DeliveryFailed",
    "Event",
    "EventFields",
    "EventType",
    "InvalidEvent",
    "Line",
    "OutboxFull",
    "Pseudonyms",
    "RankedItem",
    "RecommendationList",
    "load_pseudonyms",
]
