"""The merchandising rules in memory, per tenant, as their topic says; later records win."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

import msgspec

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.rules import (
    NO_RULES,
    MerchandisingRule,
    NamedRule,
    RulesInForce,
    RuleTerms,
    Scenario,
    check_terms,
    in_force,
    turns,
)

_RULES = msgspec.json.Decoder(MerchandisingRule)


class _Standing(NamedTuple):
    """`until`: the next turn of a schedule, `since`: the last one."""

    since: datetime | None
    until: datetime | None
    rules: RulesInForce


class RuleBook:
    """`clock`: the wall's, by which schedules go."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rules: dict[str, dict[str, RuleTerms]] = defaultdict(dict)
        self._held: dict[tuple[str, Scenario], _Standing] = {}
        self.refused = 0

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the topic. One that does not read as a rule is counted and passed over."""
        if value is None:
            tenant, _, rule_id = (key or b"").decode(errors="replace").partition(":")
            self._rules[tenant].pop(rule_id, None)
        else:
            try:
                rule = _RULES.decode(value)
                check_terms(rule.terms)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                self.refused += 1
                return
            tenant = rule.tenant
            self._rules[tenant][rule.rule_id] = rule.terms
        for scenario in Scenario:
            self._held.pop((tenant, scenario), None)

    def has_heard_of(self, tenant: str) -> bool:
        """Whether it has rules, or had some that the topic still tells of."""
        return tenant in self._rules

    def rules(self, tenant: str) -> dict[str, RuleTerms]:
        """By name, those not in force among them, as they stand now."""
        return dict(sorted(self._rules[tenant].items())) if tenant in self._rules else {}

    def in_force(self, tenant: str, scenario: Scenario = Scenario.HOME) -> RulesInForce:
        """One look-up where the tenant has no rules; else worked out anew where a record came or a
        schedule turned."""
        rules = self._rules.get(tenant)
        return self._standing(tenant, scenario, rules).rules if rules else NO_RULES

    def turned_at(self, tenant: str, scenario: Scenario = Scenario.HOME) -> datetime | None:
        """When a schedule of a rule that there is last put it in force or ended it."""
        rules = self._rules.get(tenant)
        return self._standing(tenant, scenario, rules).since if rules else None

    def _standing(self, tenant: str, scenario: Scenario, rules: dict[str, RuleTerms]) -> _Standing:
        now = as_datetime(self._clock())
        held = self._held.get((tenant, scenario))
        if held is not None and (held.until is None or now < held.until):
            return held
        named = [NamedRule(rule_id, terms) for rule_id, terms in rules.items()]
        times = list(turns(named))
        found = self._held[tenant, scenario] = _Standing(
            max((at for at in times if at <= now), default=None),
            min((at for at in times if at > now), default=None),
            in_force(named, now, scenario),
        )
        return found
