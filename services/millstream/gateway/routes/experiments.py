"""The tenant's experiments, and what they have shown."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.params import JSONBody, PathParameter
from msgspec import Struct

from millstream.domain.experiments import ExperimentId, ExperimentTerms
from millstream.experiments.showing import ExperimentShown, ListedExperiment
from millstream.gateway.api_keys import Scope
from millstream.gateway.problems import Refusal
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs

Name = Annotated[
    str, PathParameter(description="Lower-case letters, digits and hyphens, 64 at most.")
]


class ExperimentList(Struct, frozen=True):
    experiments: tuple[ListedExperiment, ...]


class EndRequest(Struct, frozen=True, forbid_unknown_fields=True):
    experiment_id: ExperimentId


@get(
    "/v1/experiments",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="The experiments",
    description="The newest first, those that are over among them.",
    operation_id="listExperiments",
    tags=["experiments"],
    raises=[],
)
async def list_experiments(parts: GivenParts, caller: GivenCaller) -> ExperimentList:
    return ExperimentList(parts.experiments.all(caller.tenant))


@get(
    "/v1/experiments/{experiment:str}",
    guards=[needs(Scope.ADMIN)],
    responses=answers(404),
    summary="What an experiment has shown",
    description="Whether the split is as laid down, figures of each variant with intervals that"
    " hold at every look, and what may be concluded. Needs `millstream attribution` to be running.",
    operation_id="showExperiment",
    tags=["experiments"],
    raises=[],
)
async def show_experiment(
    parts: GivenParts, caller: GivenCaller, experiment: Name
) -> ExperimentShown:
    name = _name(experiment, HTTPStatus.NOT_FOUND)
    return await parts.experiments.shown(caller.tenant, name)


@put(
    "/v1/experiments/{experiment:str}",
    guards=[needs(Scope.ADMIN)],
    responses=answers(409),
    summary="Begin an experiment",
    description="Not where there was one of that name, or another is running. It can't be changed,"
    " only ended. Workers follow within two seconds.",
    operation_id="beginExperiment",
    tags=["experiments"],
    raises=[],
)
async def begin_experiment(
    parts: GivenParts, caller: GivenCaller, experiment: Name, data: JSONBody[ExperimentTerms]
) -> ListedExperiment:
    return await parts.experiments.begin(caller, _name(experiment, HTTPStatus.BAD_REQUEST), data)


@post(
    "/v1/experiments:end",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(404, 409),
    summary="End an experiment",
    description="Before its days are over. What it has shown stays.",
    operation_id="endExperiment",
    tags=["experiments"],
    raises=[],
)
async def end_experiment(
    parts: GivenParts, caller: GivenCaller, data: JSONBody[EndRequest]
) -> ListedExperiment:
    return await parts.experiments.end(caller, data.experiment_id)


def _name(experiment: str, status: HTTPStatus) -> str:
    """Raises Refusal for what is no name."""
    try:
        return msgspec.convert(experiment, ExperimentId)
    except msgspec.ValidationError:
        raise Refusal(
            status,
            "experiment: 1 to 64 lower-case letters, digits and hyphens, the first no hyphen",
        ) from None
