"""How much one API key, and one tenant, may ask of this process in a second.

The generic cell rate algorithm: per key one moment, up to which what was asked for is paid. The
in-memory storage of package limits keeps a thread with timers, which took a sixth of a gateway's
time (py-spy)."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import monotonic
from typing import NamedTuple

from millstream.gateway.callers import Caller
from millstream.gateway.settings import GatewaySettings

BURST_S = 1.0
"""So much of the allowance may be used at once."""


class Rate:
    """`per_second` on average, and BURST_S seconds' worth of it at once. Never blocks. Holds two
    numbers per name that it was asked about."""

    def __init__(self, per_second: int, clock: Callable[[], float] = monotonic) -> None:
        self._cost_s = 1.0 / per_second
        self._clock = clock
        self._paid_until: dict[str, float] = {}
        self._fits_at: dict[str, float] = {}

    def take(self, name: str, n: int = 1) -> int:
        """0 where n may go on, else the seconds after which they may; what is refused costs
        nothing. More than a burst holds never goes."""
        now = self._clock()
        paid_until = max(now, self._paid_until.get(name, now)) + n * self._cost_s
        over_s = paid_until - now - BURST_S
        if over_s > 1e-9:
            self._fits_at[name] = now + over_s
            return max(1, ceil(over_s))
        self._paid_until[name] = paid_until
        return 0

    def wait(self, name: str) -> int:
        """The seconds until what was refused last would go on; 0 where it would now."""
        return max(0, ceil(self._fits_at.get(name, 0.0) - self._clock()))


class Allowed(NamedTuple):
    """In a second. `events`: reviews and catalogue items, too."""

    requests: int
    events: int


class Rates:
    """By API key, so that one that was found in a page does not stop the shop's backend, and by
    tenant, however many keys it has. What the tenant has no room for costs the key alone."""

    def __init__(
        self, of_key: Allowed, of_tenant: Allowed, clock: Callable[[], float] = monotonic
    ) -> None:
        self._requests, self._events = (Rate(n, clock) for n in of_key)
        self._requests_of_tenant, self._events_of_tenant = (Rate(n, clock) for n in of_tenant)

    def request(self, caller: Caller) -> int:
        """See Rate.take."""
        return self._requests.take(caller.key_id) or self._requests_of_tenant.take(caller.tenant)

    def events(self, caller: Caller, n: int) -> int:
        """See Rate.take."""
        return self._events.take(caller.key_id, n) or self._events_of_tenant.take(caller.tenant, n)

    def refused(self, caller: Caller) -> int:
        """See Rate.wait; of events."""
        return max(self._events.wait(caller.key_id), self._events_of_tenant.wait(caller.tenant))


def rates_of(settings: GatewaySettings) -> Rates:
    return Rates(
        Allowed(settings.gateway_requests_per_second, settings.gateway_events_per_second),
        Allowed(
            settings.gateway_tenant_requests_per_second, settings.gateway_tenant_events_per_second
        ),
    )
