"""Two shoppers never share a name, neither in Kafka nor in Redis."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from millstream.domain.errors import Refused
from millstream.domain.events import Event, EventType, check_event
from millstream.domain.identity import record_key, slot_of, tenant_in

_TENANTS = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,31}\Z")
# Short ids over few signs, those that part names among them, so that near misses come up.
_IDS = st.text("ab:~\n -", min_size=1, max_size=4) | st.text(min_size=1, max_size=128)
_KNOWN = st.booleans()
_PICKY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def shopper(name: str, known: bool) -> str:
    """The shopper of an event that the wire lets through; discards the example otherwise."""
    event = Event(
        event_id="e",
        type=EventType.ERASE,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        user_id=name if known else None,
        anonymous_id=None if known else name,
    )
    try:
        check_event(event)
    except Refused:
        assume(False)
    return event.shopper


@_PICKY
@given(_TENANTS, _IDS, _KNOWN, _TENANTS, _IDS, _KNOWN)
def test_two_shoppers_never_share_a_key(
    tenant: str, name: str, known: bool, tenant_2: str, name_2: str, known_2: bool
) -> None:
    one, two = (tenant, shopper(name, known)), (tenant_2, shopper(name_2, known_2))
    assume((tenant, name, known) != (tenant_2, name_2, known_2))
    assert one != two, "a known and an anonymous shopper are one"
    assert record_key(*one) != record_key(*two)
    assert "\n".join(one) != "\n".join(two), "the text that the slot is hashed from is shared"


@_PICKY
@given(_TENANTS, _IDS, st.integers(1, 64))
def test_a_shopper_keeps_the_slot(tenant: str, name: str, slots: int) -> None:
    assert slot_of(tenant, name, slots) == slot_of(tenant, name, slots)
    assert 0 <= slot_of(tenant, name, slots) < slots


@given(_TENANTS, st.text(max_size=8))
def test_a_key_tells_whose_it_is(tenant: str, name: str) -> None:
    assert tenant_in(record_key(tenant, name)) == tenant


def test_a_key_that_is_not_of_ours_tells_nobody() -> None:
    long = b"x" * 33 + b":ann"
    for key in (None, b"", b"ann", b":ann", b"Shop:ann", b"-shop:ann", b"s\xff:a", long):
        assert tenant_in(key) is None, key
