"""The tenant's model versions, and which of them serves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from millstream.domain.models import ModelName
from millstream.gateway.api_keys import Scope
from millstream.gateway.moves import Moved
from millstream.gateway.problems import Refusal
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs
from millstream.gateway.trainings import Training
from millstream.gateway.versions import Version

Model = Annotated[str, PathParameter(description="The model's name, such as `embedding`.")]


class VersionList(Struct, frozen=True):
    versions: tuple[Version, ...]


@get(
    "/v1/models",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="The model versions",
    operation_id="listModels",
    tags=["models"],
    raises=[],
)
async def list_models(parts: GivenParts, caller: GivenCaller) -> VersionList:
    return VersionList(await parts.versions.all(caller.tenant))


class TrainingList(Struct, frozen=True):
    trainings: tuple[Training, ...]


@get(
    "/v1/trainings",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="How the next version of each model stands",
    description="As its trainer told it last: what it waits for, or how far the training is.",
    operation_id="listTrainings",
    tags=["models"],
    raises=[],
)
async def list_trainings(parts: GivenParts, caller: GivenCaller) -> TrainingList:
    return TrainingList(await parts.trainings.of(caller.tenant))


@post(
    "/v1/models/{model:str}/versions/{version:int}/promote",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(404, 409),
    summary="Make a version the current one",
    description="Newer or older than the one that is.",
    operation_id="promoteModel",
    tags=["models"],
    raises=[],
)
async def promote(
    parts: GivenParts,
    caller: GivenCaller,
    model: Model,
    version: Annotated[int, PathParameter(ge=1, le=2**31 - 1)],
    force: Annotated[
        bool, QueryParameter(description="Also one that the gate refused or held.")
    ] = False,
) -> Moved:
    return await parts.moves.promote(caller.tenant, _name(model), version, force)


@post(
    "/v1/models/{model:str}/rollback",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(404, 409),
    summary="Go back to the version that served before",
    operation_id="rollBackModel",
    tags=["models"],
    raises=[],
)
async def roll_back(
    parts: GivenParts,
    caller: GivenCaller,
    model: Model,
    current: Annotated[
        int | None,
        QueryParameter(
            ge=1,
            le=2**31 - 1,
            description="Only where this is the current version: asked again, it goes back once.",
        ),
    ] = None,
) -> Moved:
    return await parts.moves.roll_back(caller.tenant, _name(model), current)


def _name(model: str) -> str:
    """Raises Refusal (404): what is no name, a path say, is no model."""
    try:
        return msgspec.convert(model, ModelName)
    except msgspec.ValidationError:
        raise Refusal(HTTPStatus.NOT_FOUND, "no model has such a name") from None
