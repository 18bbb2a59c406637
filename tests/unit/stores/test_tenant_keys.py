"""No key of one tenant is a key of another, nor one of the deployment's, whatever ids they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from millstream.domain.events import Tenant
from millstream.domain.identity import record_key
from millstream.stores.keys import Keys

PREFIX = Keys("ms:")
METHODS: dict[str, tuple[Callable[..., str], list[str]]] = {
    name: (getattr(PREFIX, name), list(inspect.signature(member).parameters)[1:])
    for name, member in vars(Keys).items()
    if inspect.isfunction(member) and not name.startswith("_")
}
OF_TENANTS = sorted(name for name, (_, taken) in METHODS.items() if "tenant" in taken)
OF_ALL = sorted(METHODS.keys() - set(OF_TENANTS))
NUMBERS = {"slot", "partition", "position"}


def is_tenant(said: str) -> bool:
    try:
        msgspec.convert(said, Tenant)
    except msgspec.ValidationError:
        return False
    return True


TENANTS = st.text("ab0-", min_size=1, max_size=4).filter(is_tenant)
IDS = st.text("ab0-:{}|~", min_size=1, max_size=6)
"""Also those that look like the rest of a key."""


@st.composite
def a_key(draw: st.DrawFn, names: list[str], tenant: str) -> str:
    method, taken = METHODS[draw(st.sampled_from(names))]
    given: dict[str, Any] = {
        name: draw(st.integers(0, 15)) if name in NUMBERS else draw(IDS) for name in taken
    }
    return method(**given | ({"tenant": tenant} if "tenant" in taken else {}))


def test_every_kind_of_key_is_looked_at() -> None:
    assert len(OF_TENANTS) >= 14
    assert {"shopper", "served_list", "item_totals", "model", "attributed"} <= set(OF_TENANTS)
    assert {"fences", "layout", "tenants"} <= set(OF_ALL)


@given(st.data(), TENANTS, TENANTS)
def test_no_key_is_of_two_tenants(data: st.DataObject, one: str, other: str) -> None:
    assume(one != other)
    ours, theirs = (data.draw(a_key(OF_TENANTS, tenant)) for tenant in (one, other))
    assert ours != theirs


@given(st.data(), TENANTS)
def test_no_key_of_a_tenant_is_the_deployments(data: st.DataObject, tenant: str) -> None:
    assert data.draw(a_key(OF_TENANTS, tenant)) != data.draw(a_key(OF_ALL, tenant))


@given(TENANTS, TENANTS, IDS, IDS)
def test_no_record_is_of_two_tenants(one: str, other: str, a: str, b: str) -> None:
    assume(one != other)
    assert record_key(one, a) != record_key(other, b)
