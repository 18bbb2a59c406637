"""Merchandising rules as an administrator lays them down, changes them and takes changes back."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec
from msgspec import Struct
from uuid_utils import uuid7

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.identity import record_key
from millstream.domain.rules import (
    ChangeId,
    MerchandisingRule,
    RuleChange,
    RuleId,
    RuleTerms,
    Scenario,
    check_terms,
)
from millstream.gateway.callers import Caller
from millstream.gateway.delivery import Delivery
from millstream.gateway.problems import Refusal
from millstream.gateway.rule_changes import News, RuleChanges
from millstream.stores.rule_book import RuleBook

MOST = 200
"""Rules of a tenant, those not in force among them."""
HEARD_S = 2.0
"""A change is answered when this gateway has heard of it, or so long after Kafka has it."""


class ListedRule(Struct, frozen=True):
    """`in_force`: in which scenarios it is now."""

    rule_id: RuleId
    terms: RuleTerms
    in_force: tuple[Scenario, ...]


class Rules:
    """Raises Refusal: 404 for what is not there, 409 for what can't be as things stand. Changes of
    one gateway come one after the other; of two that go by two gateways at once the later stands,
    and the trail has both. `topics`: full names of the rules and of their changes."""

    def __init__(
        self,
        book: RuleBook,
        changes: RuleChanges,
        delivery: Delivery,
        topics: tuple[str, str],
        clock: Clock,
    ) -> None:
        self._book = book
        self._changes = changes
        self._delivery = delivery
        self._rules_topic, self._changes_topic = topics
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self.news = News()

    def all(self, tenant: str) -> tuple[ListedRule, ...]:
        now = as_datetime(self._clock())
        return tuple(
            ListedRule(rule_id, terms, tuple(s for s in Scenario if terms.is_in_force(now, s)))
            for rule_id, terms in self._book.rules(tenant).items()
        )

    def moved_ms(self, tenant: str) -> int:
        """When what is in force in shoppers' own lists last changed, by somebody or by a schedule;
        0: never."""
        times = self._changes.moved_at(tenant), self._book.turned_at(tenant)
        return max((round(at.timestamp() * 1000) for at in times if at is not None), default=0)

    def newest_changes(self, tenant: str, n: int) -> tuple[RuleChange, ...]:
        return self._changes.newest(tenant, n)

    async def put(self, caller: Caller, rule_id: str, terms: RuleTerms) -> RuleChange:
        try:
            check_terms(terms)
        except ValueError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        async with self._one_at_a_time:
            held = self._book.rules(caller.tenant)
            if rule_id not in held and len(held) >= MOST:
                raise Refusal(HTTPStatus.CONFLICT, f"there are {MOST} rules already")
            return await self._change(caller, rule_id, held.get(rule_id), terms)

    async def remove(self, caller: Caller, rule_id: str) -> RuleChange:
        async with self._one_at_a_time:
            before = self._book.rules(caller.tenant).get(rule_id)
            if before is None:
                raise Refusal(HTTPStatus.NOT_FOUND, "there is no such rule")
            return await self._change(caller, rule_id, before, None)

    async def undo(self, caller: Caller, change_id: str) -> RuleChange:
        """Puts back what stood before the change, where what it left still stands."""
        async with self._one_at_a_time:
            change = self._changes.find(caller.tenant, change_id)
            if change is None:
                raise Refusal(HTTPStatus.NOT_FOUND, "there is no such change")
            stands = self._book.rules(caller.tenant).get(change.rule_id)
            if stands != change.after:
                raise Refusal(
                    HTTPStatus.CONFLICT, "the rule was changed again since: undo that first"
                )
            if stands == change.before:
                raise Refusal(HTTPStatus.CONFLICT, "this change changed nothing")
            return await self._change(caller, change.rule_id, stands, change.before, change_id)

    async def _change(
        self,
        caller: Caller,
        rule_id: str,
        before: RuleTerms | None,
        after: RuleTerms | None,
        undoes: ChangeId | None = None,
    ) -> RuleChange:
        """The trail first: a rule that nobody is known to have made never comes in force. What
        Kafka took of the two when it refuses the second is told in the trail alone."""
        change = RuleChange(
            tenant=caller.tenant,
            change_id=uuid7().hex,
            rule_id=rule_id,
            changed_at=as_datetime(self._clock()),
            key_id=caller.key_id,
            key_note=caller.note,
            before=before,
            after=after,
            undoes=undoes,
        )
        told = msgspec.json.encode(change)
        await self._delivery.deliver(
            self._changes_topic, [(record_key(caller.tenant, change.change_id), told)]
        )
        value = None
        if after is not None:
            rule = MerchandisingRule(tenant=caller.tenant, rule_id=rule_id, terms=after)
            value = msgspec.json.encode(rule)
        key = record_key(caller.tenant, rule_id)
        await self._delivery.deliver(self._rules_topic, [(key, value)])
        await self.news.until(lambda: self._has_heard_of(change), HEARD_S)
        return change

    def _has_heard_of(self, change: RuleChange) -> bool:
        return (
            self._changes.find(change.tenant, change.change_id) is not None
            and self._book.rules(change.tenant).get(change.rule_id) == change.after
        )
