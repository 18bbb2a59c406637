"""What the trail says of when rules changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from millstream.domain.rules import RuleChange, RuleKind, RuleTerms, Scenario
from millstream.gateway.rule_changes import RuleChanges

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HIDE = RuleTerms(kind=RuleKind.HIDE, item_id="a")


def test_only_what_changes_shoppers_own_lists_at_once_moves_them() -> None:
    trail = RuleChanges()
    assert trail.moved_at("shop") is None
    steps = [
        (None, HIDE, 0),
        (HIDE, None, 1),
        (None, msgspec.structs.replace(HIDE, scenario=Scenario.DISCOVER), 1),
        (None, msgspec.structs.replace(HIDE, starts_at=NOON + 60 * MINUTE), 1),
        (HIDE, msgspec.structs.replace(HIDE, ends_at=NOON), 5),
    ]
    for n, (before, after, moved) in enumerate(steps):
        change = RuleChange(
            tenant="shop",
            change_id=f"{n:032x}",
            rule_id="one",
            changed_at=NOON + n * MINUTE,
            key_id="key",
            before=before,
            after=after,
        )
        trail.take(None, msgspec.json.encode(change))
        assert trail.moved_at("shop") == NOON + min(n, moved) * MINUTE
    assert trail.moved_at("other") is None
