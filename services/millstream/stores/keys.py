"""Every Redis key, once. `{s}` is the cluster hash tag: what one call touches shares it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    prefix: str

    # Exact state of slot s, written only by recs_apply_v2.
    def fences(self, slot: int) -> str:
        """HASH epoch; t:, w:, s: (position, witness, start) and acc:, dup:, late:, era:, over:,
        bad:, hol:, itm: (ledger), each followed by <epoch>:<topic>:<partition>; and acc/ to bad/
        (a tenant's ledger), each followed by <tenant>."""
        return f"{self.prefix}f:{{{slot}}}"

    def clocks(self, slot: int) -> str:
        """HASH <epoch>:<topic>:<partition> -> greatest log time applied, ms."""
        return f"{self.prefix}c:{{{slot}}}"

    def erased(self, slot: int) -> str:
        """HASH <tenant>:<shopper> -> log time of the erasure, ms; with + in front while the event
        itself was not read yet."""
        return f"{self.prefix}x:{{{slot}}}"

    def dirty(self, slot: int) -> str:
        """SET of <type index>|<tenant>:<item> whose totals are behind."""
        return f"{self.prefix}q:{{{slot}}}"

    def taken(self, slot: int) -> str:
        """SET, as `dirty`: what a sweep has taken from it and not summed yet."""
        return f"{self.prefix}t:{{{slot}}}"

    def item_partials(self, slot: int, tenant: str) -> str:
        """HASH <type index>|<item> -> lines counted from shoppers of this slot."""
        return f"{self.prefix}i:{{{slot}}}:{tenant}"

    def shopper(self, slot: int, tenant: str, shopper: str) -> str:
        """STRING: the packed state, features/state.py."""
        return f"{self.prefix}u:{{{slot}}}:{tenant}:{shopper}"

    def event_ids(self, slot: int, tenant: str, shopper: str) -> str:
        """ZSET 16-byte event digest -> log time, ms."""
        return f"{self.prefix}d:{{{slot}}}:{tenant}:{shopper}"

    def owed(self, slot: int) -> str:
        """SET of <topic>:<partition>:<offset> of over-full events whose letter is not out yet."""
        return f"{self.prefix}o:{{{slot}}}"

    def replayed(self, slot: int) -> str:
        """SET of <topic>:<partition>:<offset> of dead letters that were counted when replayed."""
        return f"{self.prefix}l:{{{slot}}}"

    def never_written(self, slot: int) -> str:
        """Does not exist: a call that names it is refused whole (TRYAGAIN) while the slot moves to
        another node of a cluster, where it would else break off in the middle."""
        return f"{self.prefix}z:{{{slot}}}"

    # Derived and rebuildable.
    def served_list(self, slot: int, tenant: str, shopper: str) -> str:
        """STRING: the last list, stores/served_lists.py."""
        return f"{self.prefix}r:{{{slot}}}:{tenant}:{shopper}"

    def item_numbers(self, tenant: str) -> str:
        """HASH number -> item id."""
        return f"{self.prefix}items:{tenant}"

    def item_totals(self, tenant: str, item: str) -> str:
        """HASH type index -> lines, the sum over the slots, at most some seconds behind."""
        return f"{self.prefix}it:{tenant}:{item}"

    def neighbours(self, slot: int, tenant: str, item: str) -> str:
        """STRING: I4 number of a neighbour, d log2 of its weight, and so on, heaviest first."""
        return f"{self.prefix}n:{{{slot}}}:{tenant}:{item}"

    def popular(self, tenant: str) -> str:
        """ZSET item -> log2 of the decayed weight."""
        return f"{self.prefix}p:{tenant}"

    # What was done with lists; `{p}`: the partition. Written by attribution alone.
    def attributed_to(self, partition: int) -> str:
        """HASH lists, events: the next offsets."""
        return f"{self.prefix}at:{{p{partition}}}"

    def attributable(self, partition: int, tenant: str, shopper: str) -> str:
        """STRING with expiry: the shopper's last lists, attribution/join.py."""
        return f"{self.prefix}ah:{{p{partition}}}:{tenant}:{shopper}"

    def attributed(self, partition: int, tenant: str, day: str) -> str:
        """HASH with expiry: JSON of what is counted -> how often."""
        return f"{self.prefix}ac:{{p{partition}}}:{tenant}:{day}"

    def listed_items(self, partition: int, tenant: str, day: str) -> str:
        """HASH with expiry: item -> places in lists."""
        return f"{self.prefix}ai:{{p{partition}}}:{tenant}:{day}"

    def enrolled(self, partition: int, tenant: str, shopper: str) -> str:
        """STRING with expiry: which experiments the shopper came into, attribution/enrolment.py."""
        return f"{self.prefix}ax:{{p{partition}}}:{tenant}:{shopper}"

    def cohorts(self, partition: int, tenant: str, experiment: str) -> str:
        """HASH with expiry: JSON of variant, cohort and what is counted -> sum."""
        return f"{self.prefix}ae:{{p{partition}}}:{tenant}:{experiment}"

    # The deployment.
    def layout(self) -> str:
        """HASH slots: what `millstream init` fixed for life; half_lives_days: of the derived sums;
        wiping: while counts are taken away."""
        return f"{self.prefix}layout"

    def model(self, tenant: str, model: str) -> str:
        """HASH version, sha256: the current model."""
        return f"{self.prefix}m:{tenant}:{model}"

    def trainings(self, tenant: str) -> str:
        """HASH model -> JSON of how its next version stands, stores/training_states.py."""
        return f"{self.prefix}mt:{tenant}"

    def tenants(self) -> str:
        """SET of the tenants that have been seen."""
        return f"{self.prefix}tenants"

    def sweep_lease(self) -> str:
        """STRING with expiry: who sums item totals right now."""
        return f"{self.prefix}sweep"

    def starts(self, epoch: str, topic: str, partition: int, position: int) -> str:
        """STRING with expiry: how often a worker began there, stores/starts.py."""
        return f"{self.prefix}starts:{epoch}:{topic}:{partition}:{position}"
