"""The trail of who changed which merchandising rule, in memory as its topic says."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import msgspec

from millstream.domain.rules import RuleChange, Scenario

KEPT = 10_000
"""Changes of a tenant that can be listed and undone; older ones stay in the topic."""

TakeRecord = Callable[[bytes | None, bytes | None], None]
"""Given key and value of each record of a topic."""

_CHANGES = msgspec.json.Decoder(RuleChange)


class RuleChanges:
    def __init__(self) -> None:
        self._changes: dict[str, dict[str, RuleChange]] = defaultdict(dict)
        self._moved: dict[str, datetime] = {}
        self.refused = 0

    def take(self, _key: bytes | None, value: bytes | None) -> None:
        """A record of the topic. One that does not read as a change is counted and passed over."""
        try:
            change = _CHANGES.decode(value or b"")
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.refused += 1
            return
        held = self._changes[change.tenant]
        held[change.change_id] = change
        if len(held) > KEPT:
            del held[min(held)]
        at = change.changed_at
        if any(
            terms and terms.is_in_force(at, Scenario.HOME)
            for terms in (change.before, change.after)
        ):
            self._moved[change.tenant] = max(at, self._moved.get(change.tenant, at))

    def moved_at(self, tenant: str) -> datetime | None:
        """When one last changed what was in force in shoppers' own lists at once."""
        return self._moved.get(tenant)

    def find(self, tenant: str, change_id: str) -> RuleChange | None:
        return self._changes[tenant].get(change_id) if tenant in self._changes else None

    def newest(self, tenant: str, n: int) -> tuple[RuleChange, ...]:
        """The newest first. Their ids begin with the time."""
        held = self._changes.get(tenant, {})
        return tuple(held[change_id] for change_id in sorted(held, reverse=True)[:n])


class News:
    """Wakes who waits for something that a record may have brought."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    def after(self, take: TakeRecord) -> TakeRecord:
        """As `take`, and then tells."""

        def taken(key: bytes | None, value: bytes | None) -> None:
            take(key, value)
            self.tell()

        return taken

    async def until(self, holds: Callable[[], bool], within_s: float) -> None:
        """Returns when it holds, or after `within_s` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not holds():
                    await self._next.wait()
