"""The gateway's OpenAPI document as a file beside the schemas of the wire."""

from __future__ import annotations

from pathlib import Path

import yaml

from millstream.gateway.api import make_api
from millstream.gateway.openapi import document
from millstream.gateway.parts import Parts

NAME = "openapi.yaml"


def rendered_openapi() -> str:
    return yaml.safe_dump(document(make_api(_no_parts)), sort_keys=False, allow_unicode=True)


def write_openapi(directory: Path) -> Path:
    """Returns the file."""
    path = directory / NAME
    path.write_text(rendered_openapi(), encoding="utf-8")
    return path


def _no_parts() -> Parts:
    raise AssertionError("no request is made to write the document")
