"""Experiments as an administrator begins and ends them, and what they have shown."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.experiments import (
    Experiment,
    ExperimentTerms,
    Signed,
    check_terms,
    named_versions,
)
from millstream.domain.identity import record_key
from millstream.experiments.showing import ExperimentShown, ListedExperiment, listed, shown
from millstream.gateway.callers import Caller
from millstream.gateway.delivery import Delivery
from millstream.gateway.pinning import Pinning
from millstream.gateway.problems import Refusal
from millstream.gateway.rule_changes import News
from millstream.stores.attributions import Attributions
from millstream.stores.experiment_book import ExperimentBook

MOST = 1_000
"""Of a tenant, those that are over among them."""
HEARD_S = 2.0
"""A change is answered when this gateway has heard of it, or so long after Kafka has it."""


class Experiments:
    """Raises Refusal: 404 for what is not there, 409 for what can't be as things stand. `counted`:
    by attribution, in so many partitions of the events topic. `clock`: the wall's."""

    def __init__(
        self,
        book: ExperimentBook,
        counted: tuple[Attributions, int],
        pinning: Pinning,
        delivery: Delivery,
        topic: str,
        clock: Clock,
    ) -> None:
        self._book = book
        self._pinning = pinning
        self._counted, self._partitions = counted
        self._delivery = delivery
        self._topic = topic
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self.news = News()

    def all(self, tenant: str) -> tuple[ListedExperiment, ...]:
        """The newest first."""
        return tuple(self._listed(each) for each in self._book.experiments(tenant))

    async def shown(self, tenant: str, experiment_id: str) -> ExperimentShown:
        """Raises what Redis raises."""
        found = self._find(tenant, experiment_id)
        counted = await self._counted.cohorts(tenant, experiment_id, self._partitions)
        return shown(found, *counted, as_datetime(self._clock()))

    async def begin(
        self, caller: Caller, experiment_id: str, terms: ExperimentTerms
    ) -> ListedExperiment:
        try:
            check_terms(terms)
        except ValueError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        async with self._one_at_a_time:
            if (held := self._book.find(caller.tenant, experiment_id)) is not None:
                if self._is_repeated(held, caller, terms):
                    return self._listed(held)
                raise Refusal(
                    HTTPStatus.CONFLICT, "there was one of that name: another needs its own"
                )
            if (running := self._book.running(caller.tenant)) is not None:
                raise Refusal(
                    HTTPStatus.CONFLICT, f"{running.experiment_id} is running: end it first"
                )
            if len(self._book.experiments(caller.tenant)) >= MOST:
                raise Refusal(HTTPStatus.CONFLICT, f"there are {MOST} experiments already")
            versions = await self._pinning.pinned(caller.tenant, named_versions(terms))
            begun = Experiment(
                tenant=caller.tenant,
                experiment_id=experiment_id,
                terms=terms,
                begun=self._signed(caller),
                versions=versions,
            )
            return await self._put(begun)

    def _is_repeated(self, held: Experiment, caller: Caller, terms: ExperimentTerms) -> bool:
        """Kafka may have what it did not acknowledge, and the answer said to send it again."""
        sent_before = (held.terms, held.begun.key_id) == (terms, caller.key_id)
        return sent_before and held.is_running(as_datetime(self._clock()))

    async def end(self, caller: Caller, experiment_id: str) -> ListedExperiment:
        async with self._one_at_a_time:
            found = self._find(caller.tenant, experiment_id)
            if not found.is_running(as_datetime(self._clock())):
                raise Refusal(HTTPStatus.CONFLICT, "it is not running")
            return await self._put(msgspec.structs.replace(found, ended=self._signed(caller)))

    def _find(self, tenant: str, experiment_id: str) -> Experiment:
        found = self._book.find(tenant, experiment_id)
        if found is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such experiment")
        return found

    def _signed(self, caller: Caller) -> Signed:
        return Signed(as_datetime(self._clock()), caller.key_id, caller.note)

    def _listed(self, one: Experiment) -> ListedExperiment:
        return listed(one, as_datetime(self._clock()))

    async def _put(self, one: Experiment) -> ListedExperiment:
        key = record_key(one.tenant, one.experiment_id)
        await self._delivery.deliver(self._topic, [(key, msgspec.json.encode(one))])
        await self.news.until(
            lambda: self._book.find(one.tenant, one.experiment_id) == one, HEARD_S
        )
        return self._listed(one)
