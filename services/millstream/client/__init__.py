"""What a storefront installs: send what shoppers do, read what they are recommended.

with Client("kafka:9092", tenant="shop", pseudonyms=load_pseudonyms("shop")) as client:
    event = client.track("view_item", user_id="17850", items=["85123A"])
    answer = client.recommendations(event.shopper, after=event)

Over HTTP: millstream.client.http, with the same calls.
"""

from millstream.client.asynchronous import AsyncClient
from millstream.client.blocking import Client, Storefront
from millstream.client.composition import EventFields, InvalidEvent, ReviewFields
from millstream.client.outbox import DeliveryFailed, OutboxFull
from millstream.client.storefront import AsyncStorefront, Listed, Ranked
from millstream.domain.events import Event, EventType, Line
from millstream.domain.lists import RankedItem, RecommendationList
from millstream.domain.pseudonyms import Pseudonyms
from millstream.domain.reviews import Review
from millstream.privacy.key_files import newest as load_pseudonyms

__all__ = [
    "AsyncClient",
    "AsyncStorefront",
    "Client",
    "DeliveryFailed",
    "Event",
    "EventFields",
    "EventType",
    "InvalidEvent",
    "Line",
    "Listed",
    "OutboxFull",
    "Pseudonyms",
    "Ranked",
    "RankedItem",
    "RecommendationList",
    "Review",
    "ReviewFields",
    "Storefront",
    "load_pseudonyms",
]
