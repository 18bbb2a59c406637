"""Tenants on one worker and one store: each has the lists and counts that it would have alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.contract.shared_worker import HIDDEN, KINDS, RANKINGS, STOCK, Deed, deeds_of, outcome
from tests.contract.trained_tenants import TENANTS, Trained, trained, url
from tests.unit.recommender.conftest import Sent

from millstream.domain.identity import record_key
from millstream.stores.redis import connect

__all__ = ["trained", "url"]  # fixtures, used by name
DEEDS = st.lists(deeds_of(KINDS), min_size=20, max_size=40)


def its_own_alone(sent: Sent, deeds: Sequence[Deed]) -> None:
    """A list, or a tombstone, is keyed to who did what it answers, and is of the tenant's own
    goods, told by their own titles, by the tenant's own settings."""
    if sent.value is None:
        return
    made = sent.made
    deed = deeds[made.origin.offset]
    assert (made.tenant, made.user) == (deed.tenant, deed.shopper)
    assert sent.key == record_key(made.tenant, made.user)
    sold = set(STOCK[made.tenant]) - {HIDDEN[made.tenant]}
    assert {item.item_id for item in made.items} <= sold
    assert made.settings_digest == RANKINGS.of(made.tenant).digest()
    others = [f"[{other}]" for other in TENANTS if other != made.tenant]
    assert not any(title in item.reason for item in made.items for title in others)


@settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])  # to shrink takes minutes
@given(DEEDS, st.integers(6, 12), st.sets(st.sampled_from(TENANTS)), st.sampled_from(TENANTS))
def test_a_tenants_lists_and_counts_are_what_they_would_be_alone(
    url: str,
    trained: Trained,
    deeds: Sequence[Deed],
    portion: int,
    promoted: set[str],
    tenant: str,
) -> None:
    async def tried() -> None:
        async with connect(url) as redis:
            together = await outcome(redis, deeds, portion, await trained.serving(promoted))
            for made in (one for some in together.sent for one in some):
                its_own_alone(made, deeds)
            left = [deed if deed.tenant == tenant else None for deed in deeds]
            models = await trained.serving(promoted & {tenant})
            alone = await outcome(redis, left, portion, models)
            assert together.lists(tenant) == alone.lists(tenant)
            assert together.held.get(tenant) == alone.held.get(tenant)
            assert together.ledgers[tenant] == alone.ledgers[tenant]
            assert not any(sum(n.values()) for of, n in alone.ledgers.items() if of != tenant)
            assert alone.held.keys() <= {tenant}

    asyncio.run(tried())
