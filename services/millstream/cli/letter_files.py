"""Dead letters as lines of JSON: written to be mended by hand or by jq, and read back."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from millstream.domain.errors import OperatorError
from millstream.streaming.stored_letters import StoredLetter

_FORM = 'lines such as {"letter": "0:17", "value": {...}}'


def as_json(letter: StoredLetter, *, body: bool) -> dict[str, Any]:
    """Without `body` nothing that a producer wrote."""
    told: dict[str, Any] = {
        "letter": letter.place,
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.source_partition,
        "offset": letter.source_offset,
        "log_ms": letter.log_ms,
        "origin": letter.origin.place,
        "bytes": len(letter.value or b""),
    }
    if body:
        told |= _content("key", letter.key)
        told["headers"] = [{"name": name, **_content("value", v)} for name, v in letter.headers]
        told |= _content("value", letter.value)
    return told


def _content(name: str, content: bytes | None) -> dict[str, str | None]:
    """Text where it is UTF-8, else base64 under a name that says so."""
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(content).decode()}


def read_mended(path: Path) -> dict[str, bytes]:
    """By the letter's place, its value: a text is taken as it is, an object is written as JSON.
    Other keys of a line mean nothing. Raises OperatorError naming the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError("the file of mended letters", f"{path} ({error})", _FORM) from None
    values: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            place, value = _read_line(path, number, line)
            values[place] = value
    return values


def _read_line(path: Path, number: int, line: str) -> tuple[str, bytes]:
    try:
        told = json.loads(line)
        place = told["letter"]
        value = told["value"] if "value_base64" not in told else None
        if isinstance(value, dict):
            return str(place), json.dumps(value, ensure_ascii=False).encode()
        if isinstance(value, str):
            return str(place), value.encode()
        return str(place), base64.b64decode(told["value_base64"], validate=True)
    except (ValueError, KeyError, TypeError):
        raise OperatorError(f"line {number} of {path}", "no mended letter", _FORM) from None
