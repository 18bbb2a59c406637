"""The experiments in memory, per tenant, as their topic says; later records win."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import msgspec

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.experiments import Experiment, PinnedVersion, check_experiment, running

_EXPERIMENTS = msgspec.json.Decoder(Experiment)


class ExperimentBook:
    """`clock`: the wall's, by which they begin and end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._experiments: dict[str, dict[str, Experiment]] = defaultdict(dict)
        self._held: dict[str, tuple[datetime | None, Experiment | None]] = {}
        self.refused = 0

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the topic; a null value takes an experiment away. One that does not read as
        an experiment is counted and passed over."""
        if value is None:
            tenant, _, experiment_id = (key or b"").decode(errors="replace").partition(":")
            self._experiments[tenant].pop(experiment_id, None)
        else:
            try:
                experiment = _EXPERIMENTS.decode(value)
                check_experiment(experiment)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                self.refused += 1
                return
            tenant = experiment.tenant
            self._experiments[tenant][experiment.experiment_id] = experiment
        self._held.pop(tenant, None)

    def experiments(self, tenant: str) -> tuple[Experiment, ...]:
        """The newest first, those that are over among them."""
        found = self._experiments[tenant].values() if tenant in self._experiments else ()
        return tuple(sorted(found, key=lambda each: each.begun.at, reverse=True))

    def find(self, tenant: str, experiment_id: str) -> Experiment | None:
        return self._experiments.get(tenant, {}).get(experiment_id)

    def running(self, tenant: str) -> Experiment | None:
        """One look-up where the tenant has had none; else worked out anew where a record came, or
        one begins or is over."""
        experiments = self._experiments.get(tenant)
        if not experiments:
            return None
        now = as_datetime(self._clock())
        until, held = self._held.get(tenant, (now, None))
        if until is None or now < until:
            return held
        turns = (at for each in experiments.values() for at in (each.begun.at, each.over_at))
        found = running(experiments.values(), now)
        self._held[tenant] = (min((at for at in turns if at > now), default=None), found)
        return found

    def named_versions(self, tenant: str) -> set[PinnedVersion]:
        """Of the model, by what is not over; also by what begins only now by this clock."""
        experiments = self._experiments.get(tenant)
        if not experiments:
            return set()
        now = as_datetime(self._clock())
        at_work = (each for each in experiments.values() if now < each.over_at)
        return {version for each in at_work for version in each.versions}
