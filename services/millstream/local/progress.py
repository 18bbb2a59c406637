"""What the storefront has sent and the recommender has not yet answered; pure accounting.

A shopper's events all lie on one partition, and a list names the event it answers (its origin).
Two things follow from a list with origin offset o on partition p:
- its shopper's events up to o are answered: the list was made from all of them;
- every event of p up to o has been recorded, also those whose own list is still on its way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

Place = tuple[int, int]
"""(partition, offset)."""


@dataclass(slots=True)
class _Sent:
    shopper: str
    sent_ms: int
    passed_ms: int | None = None
    """When the partition was seen to be past this event without a list for its shopper."""


class Progress:
    def __init__(self) -> None:
        self.unanswered = 0
        self.latencies_ms: list[int] = []
        """Per list: its arrival less the `sent_at` of the event it answers."""
        self._unacknowledged = 0
        self._unseen = 0
        self._waiting: dict[int, dict[int, _Sent]] = {}
        self._busy: Counter[str] = Counter()
        self._last_sent: dict[int, int] = {}
        self._reached: dict[int, tuple[int, int]] = {}
        self._lists: set[Place] = set()
        self._early: dict[Place, tuple[str, int]] = {}
        self._last_event: dict[str, Place] = {}
        self._newest_list: dict[str, int] = {}

    @property
    def lists(self) -> int:
        """Lists that have come; one that comes twice counts once."""
        return len(self._lists)

    @property
    def outstanding(self) -> int:
        """Events sent whose effects have not been seen."""
        return self._unacknowledged + self._unseen

    @property
    def unsettled(self) -> int:
        """Events sent and not yet answered for their shopper."""
        return self._unacknowledged + sum(len(sent) for sent in self._waiting.values())

    @property
    def ends(self) -> dict[int, int]:
        """Partition -> the offset after the last event sent there."""
        return {partition: offset + 1 for partition, offset in self._last_sent.items()}

    @property
    def shoppers_left_behind(self) -> int:
        """Shoppers without a list that answers their last event."""
        newest = self._newest_list
        return sum(newest.get(who, -1) < at[1] for who, at in self._last_event.items())

    def is_busy(self, shopper: str) -> bool:
        """True while an event of the shopper is unanswered."""
        return self._busy[shopper] > 0

    def sending(self, shopper: str) -> None:
        self._unacknowledged += 1
        self._busy[shopper] += 1

    def acknowledged(self, shopper: str, place: Place, sent_ms: int) -> None:
        """The broker has named the event's place; offsets of a partition come in order."""
        partition, offset = place
        self._unacknowledged -= 1
        self._last_sent[partition] = offset
        self._last_event[shopper] = place
        entry = _Sent(shopper, sent_ms)
        self._waiting.setdefault(partition, {})[offset] = entry
        self._unseen += 1
        reached, at_ms = self._reached.get(partition, (-1, 0))
        if offset <= reached:
            self._pass(entry, at_ms)
        early = self._early.pop(place, None)
        if early is not None:  # the list overtook the broker's answer
            self.latencies_ms.append(early[1] - sent_ms)
        if self._newest_list.get(shopper, -1) >= offset:
            self._settle(partition, offset)

    def listed(self, user: str, origin: Place, arrived_ms: int) -> int | None:
        """Returns the list's latency in ms, or None where it is not known now.

        A list that arrives a second time settles nothing and has no latency."""
        partition, offset = origin
        self._lists.add(origin)
        self._newest_list[user] = max(offset, self._newest_list.get(user, -1))
        if offset > self._reached.get(partition, (-1, 0))[0]:
            self._reached[partition] = (offset, arrived_ms)
        if offset > self._last_sent.get(partition, -1):
            self._early.setdefault(origin, (user, arrived_ms))
        waiting = self._waiting.get(partition, {})
        answered = waiting.get(offset)
        for place, entry in list(waiting.items()):
            if place > offset:
                break
            if entry.shopper == user:
                self._settle(partition, place)
            else:
                self._pass(entry, arrived_ms)
        if answered is None or answered.shopper != user:
            return None
        self.latencies_ms.append(arrived_ms - answered.sent_ms)
        return self.latencies_ms[-1]

    def give_up(self, now_ms: int, grace_ms: int) -> None:
        """Frees the shoppers of events that the partition passed `grace_ms` ago without a list.

        The recommender answers a refused event with a dead letter, not with a list."""
        for partition, waiting in self._waiting.items():
            for offset, entry in list(waiting.items()):
                if entry.passed_ms is not None and now_ms - entry.passed_ms > grace_ms:
                    self._settle(partition, offset)
                    self.unanswered += 1

    def _pass(self, entry: _Sent, at_ms: int) -> None:
        if entry.passed_ms is None:
            entry.passed_ms = at_ms
            self._unseen -= 1

    def _settle(self, partition: int, offset: int) -> None:
        entry = self._waiting[partition].pop(offset)
        self._unseen -= entry.passed_ms is None
        self._busy[entry.shopper] -= 1
        if not self._busy[entry.shopper]:
            del self._busy[entry.shopper]
