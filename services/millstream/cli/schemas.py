"""The wire as JSON Schema 2020-12, made from the very types that the services decode with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from millstream.cli.schema_compatibility import narrowings
from millstream.domain.catalogue import CatalogueItem
from millstream.domain.demand import DemandForecast
from millstream.domain.erasures import Erasure
from millstream.domain.errors import OperatorError
from millstream.domain.events import ITEMS_ALLOWED, Event
from millstream.domain.experiments import Experiment
from millstream.domain.lists import RecommendationList
from millstream.domain.models import ModelAnnouncement, TrainingRequest
from millstream.domain.reviews import Review, ReviewCounts, ReviewVerdict
from millstream.domain.rules import MerchandisingRule, RuleChange

MESSAGES: dict[str, type[Struct]] = {
    "event.v1": Event,
    "catalogue-item.v1": CatalogueItem,
    "recommendation-list.v1": RecommendationList,
    "model-announcement.v1": ModelAnnouncement,
    "training-request.v1": TrainingRequest,
    "erasure.v1": Erasure,
    "merchandising-rule.v1": MerchandisingRule,
    "rule-change.v1": RuleChange,
    "experiment.v1": Experiment,
    "demand-forecast.v1": DemandForecast,
    "review.v1": Review,
    "review-verdict.v1": ReviewVerdict,
    "review-counts.v1": ReviewCounts,
}

# What JSON Schema could say only in many words, and the services check beyond it.
_TERMS = (
    "Also checked: of item_id and category one is given; place with kind pin and factor with kind"
    " boost, and only there; ends_at is later than starts_at."
)
_ALSO_CHECKED = {
    "merchandising-rule.v1": _TERMS,
    "rule-change.v1": _TERMS,
    "experiment.v1": "Also checked: each variant has a name of its own; shares add up to at most"
    " 1,000; at most 3 versions of the model are named, and `versions` has those, each once.",
    "review.v1": "Also checked: one of user_id and anonymous_id is given, and user_id does not"
    " begin with '~'; one of title and text has a word; time is at most 5 minutes ahead of the"
    " log; a record has at most 64 KiB.",
    "event.v1": "Also checked: one of user_id and anonymous_id is given, and user_id does not begin"
    " with '~'; query is given with search; time is at most 5 minutes ahead of the log and at most"
    " 24 hours behind it; a record has at most 64 KiB; the number of items is, by type: "
    + ", ".join(f"{kind} {least} to {most}" for kind, (least, most) in ITEMS_ALLOWED.items()),
}


def schema_of(message: str) -> dict[str, Any]:
    """The schema document of one of MESSAGES."""
    (root,), parts = msgspec.json.schema_components(
        [MESSAGES[message]], ref_template="#/$defs/{name}"
    )
    comment = _ALSO_CHECKED.get(message)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:millstream:{message.replace('.', ':')}",
        **({"$comment": comment} if comment else {}),
        **root,
        "$defs": dict(sorted(parts.items())),
    }
    plain: dict[str, Any] = json.loads(json.dumps(schema))  # a default may be a tuple
    return plain


def write_schemas(directory: Path) -> list[Path]:
    """Writes each message's schema and returns the files.

    Raises OperatorError, and writes none, where a message that stands there already would no
    longer be accepted: such a change is a new version of the message, beside the old one."""
    made = {directory / f"{message}.json": schema_of(message) for message in MESSAGES}
    for path, schema in made.items():
        if path.exists():
            _refuse_narrowing(path, schema)
    directory.mkdir(parents=True, exist_ok=True)
    for path, schema in made.items():
        path.write_text(rendered(schema), encoding="utf-8")
    return list(made)


def rendered(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _refuse_narrowing(path: Path, schema: dict[str, Any]) -> None:
    found = narrowings(json.loads(path.read_text(encoding="utf-8")), schema)
    if found:
        raise OperatorError(
            f"schema {path.name}",
            "; ".join(found),
            "nothing that refuses a message accepted so far",
            "Make it a new version, and read both for a while",
        )
