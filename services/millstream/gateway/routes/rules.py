"""The tenant's merchandising rules, and the trail of their changes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import delete, get, post, put
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Struct

from millstream.domain.rules import ChangeId, RuleChange, RuleId, RuleTerms
from millstream.gateway.api_keys import Scope
from millstream.gateway.problems import Refusal
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs
from millstream.gateway.rules import ListedRule

Name = Annotated[
    str, PathParameter(description="Lower-case letters, digits and hyphens, 64 at most.")
]


class RuleList(Struct, frozen=True):
    rules: tuple[ListedRule, ...]


class ChangeList(Struct, frozen=True):
    changes: tuple[RuleChange, ...]


class UndoRequest(Struct, frozen=True, forbid_unknown_fields=True):
    change_id: ChangeId


@get(
    "/v1/rules",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="The merchandising rules",
    description="By name, those not in force among them.",
    operation_id="listRules",
    tags=["rules"],
    raises=[],
)
async def list_rules(parts: GivenParts, caller: GivenCaller) -> RuleList:
    return RuleList(parts.rules.all(caller.tenant))


@put(
    "/v1/rules/{rule:str}",
    guards=[needs(Scope.ADMIN)],
    responses=answers(409),
    summary="Lay down a merchandising rule",
    description="Replaces the one of that name. Workers follow within two seconds.",
    operation_id="putRule",
    tags=["rules"],
    raises=[],
)
async def put_rule(
    parts: GivenParts, caller: GivenCaller, rule: Name, data: JSONBody[RuleTerms]
) -> RuleChange:
    return await parts.rules.put(caller, _name(rule, HTTPStatus.BAD_REQUEST), data)


@delete(
    "/v1/rules/{rule:str}",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(404),
    summary="Take a merchandising rule away",
    operation_id="deleteRule",
    tags=["rules"],
    raises=[],
)
async def delete_rule(parts: GivenParts, caller: GivenCaller, rule: Name) -> RuleChange:
    return await parts.rules.remove(caller, _name(rule, HTTPStatus.NOT_FOUND))


@get(
    "/v1/rules:changes",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="Who changed which rule",
    description="The newest first.",
    operation_id="listRuleChanges",
    tags=["rules"],
    raises=[],
)
async def list_changes(
    parts: GivenParts,
    caller: GivenCaller,
    limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at most.")] = 50,
) -> ChangeList:
    return ChangeList(parts.rules.newest_changes(caller.tenant, limit))


@post(
    "/v1/rules:undo",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(404, 409),
    summary="Take a change of a rule back",
    description="What stood before it is put back, which is a change of its own. Not where the rule"
    " was changed again since.",
    operation_id="undoRuleChange",
    tags=["rules"],
    raises=[],
)
async def undo(parts: GivenParts, caller: GivenCaller, data: JSONBody[UndoRequest]) -> RuleChange:
    return await parts.rules.undo(caller, data.change_id)


def _name(rule: str, status: HTTPStatus) -> str:
    """Raises Refusal for what is no name."""
    try:
        return msgspec.convert(rule, RuleId)
    except msgspec.ValidationError:
        raise Refusal(
            status, "rule: 1 to 64 lower-case letters, digits and hyphens, the first no hyphen"
        ) from None
