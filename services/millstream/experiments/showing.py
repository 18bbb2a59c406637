"""An experiment beside what it has shown, as the gateway and `millstream experiments` tell it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from millstream.domain.clock import as_datetime
from millstream.domain.experiments import Experiment, ExperimentId, ExperimentTerms, Signed
from millstream.experiments.outcomes import by_variant
from millstream.experiments.report import ExperimentReport, report


class ListedExperiment(Struct, frozen=True):
    """`ended`: by somebody, before `over_at` would have come."""

    experiment_id: ExperimentId
    terms: ExperimentTerms
    begun: Signed
    ended: Signed | None
    over_at: datetime
    running: bool


class ExperimentShown(Struct, frozen=True):
    """`counted_to`: the time of the log to which attribution has come; null where it has not
    begun."""

    experiment: ListedExperiment
    report: ExperimentReport
    counted_to: datetime | None


def listed(one: Experiment, now: datetime) -> ListedExperiment:
    return ListedExperiment(
        one.experiment_id, one.terms, one.begun, one.ended, one.over_at, one.is_running(now)
    )


def shown(
    one: Experiment, cohorts: Mapping[tuple[str, str, str], int], to_ms: int, now: datetime
) -> ExperimentShown:
    """`cohorts`, `to_ms`: as attribution counted them; 0 where it has not begun."""
    told = report(one.terms, *by_variant(cohorts, to_ms))
    return ExperimentShown(listed(one, now), told, as_datetime(to_ms) if to_ms else None)
