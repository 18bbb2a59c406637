"""How the lists do."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from millstream.gateway.api_keys import Scope
from millstream.gateway.kpis import KpiReport
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs


@get(
    "/v1/kpis",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="How the lists do",
    description="Clicks and purchases that go back to lists, per model version, variant and source;"
    " coverage, exposure, freshness, latency. Needs `millstream attribution` to be running.",
    operation_id="getKpis",
    tags=["insights"],
    raises=[],
)
async def kpis(
    parts: GivenParts,
    caller: GivenCaller,
    days: Annotated[
        int, QueryParameter(ge=1, le=7, description="The last so many, today among them (UTC).")
    ] = 1,
) -> KpiReport:
    return await parts.kpis.of(caller.tenant, days)
