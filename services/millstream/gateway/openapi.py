"""The OpenAPI 3.1 document, made from the types that the routes decode and answer with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar
from msgspec import Struct

from millstream.domain.events import Event
from millstream.domain.experiments import ExperimentTerms
from millstream.domain.reviews import Review
from millstream.domain.rules import RuleTerms
from millstream.gateway.catalogue_intake import ItemBatch
from millstream.gateway.intake import EventBatch
from millstream.gateway.review_intake import ReviewBatch
from millstream.gateway.routes.dead_letters import ReplayRequest
from millstream.gateway.routes.experiments import EndRequest
from millstream.gateway.routes.privacy import ErasureRequest
from millstream.gateway.routes.recommendations import SessionRequest
from millstream.gateway.routes.rules import UndoRequest

_AT = "#/components/schemas/{name}"
_BODIES: tuple[type[Struct], ...] = (
    Event,
    EventBatch,
    Review,
    ReviewBatch,
    ItemBatch,
    SessionRequest,
    ReplayRequest,
    ErasureRequest,
    RuleTerms,
    UndoRequest,
    ExperimentTerms,
    EndRequest,
)
_UNREAD: dict[tuple[str, str], list[type[Struct]]] = {
    ("/v1/events", "post"): [Event, EventBatch],
    ("/v1/reviews", "post"): [Review, ReviewBatch],
    ("/v1/items", "put"): [ItemBatch],
}
"""Bodies that the routes take apart themselves, to judge what is in them one by one."""
_RETRY_AFTER = {
    "description": "Seconds after which to send the same again",
    "schema": {"type": "integer", "minimum": 1},
}


def document(api: Litestar) -> dict[str, Any]:
    """What Litestar knows of the routes, with msgspec's own schemas of the bodies, which say what
    its decoder checks."""
    made: dict[str, Any] = json.loads(json.dumps(api.openapi_schema.to_schema()))
    references, schemas = msgspec.json.schema_components(_BODIES, ref_template=_AT)
    made["components"]["schemas"] |= json.loads(json.dumps(schemas))
    made["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    of_type = dict(zip(_BODIES, references, strict=True))
    for (path, method), types in _UNREAD.items():
        schema: dict[str, Any] = {"oneOf": [of_type[kind] for kind in types]}
        if len(types) == 1:
            schema = of_type[types[0]]
        made["paths"][path][method]["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    for path, operation in _operations(made):
        if path.startswith("/v1/"):
            operation["security"] = [{"apiKey": []}]
        for status in ("429", "503"):
            if status in operation["responses"] and path.startswith("/v1/"):
                operation["responses"][status]["headers"] = {"Retry-After": _RETRY_AFTER}
    made["components"]["schemas"] = dict(sorted(made["components"]["schemas"].items()))
    return made


def encoded(api: Litestar) -> bytes:
    return json.dumps(document(api)).encode()


def _operations(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in made["paths"].items():
        for operation in item.values():
            yield path, operation
