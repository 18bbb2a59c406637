"""CloudEvents 1.0 over Kafka: the header map of the binary mode and the envelope of the
structured one, turned into our bare JSON event. `source` and extensions are not ours to read."""

from __future__ import annotations

from datetime import datetime

import msgspec

from millstream.domain.errors import Reason, Refused
from millstream.domain.log import Headers

# Attribute of the envelope (its Kafka header has `ce_` before it) -> field of the event.
_FIELDS = {"id": "event_id", "type": "type", "time": "time"}


class _Envelope(msgspec.Struct):
    specversion: str
    id: str
    type: str
    data: dict[str, msgspec.Raw]
    time: str | None = None


_ENVELOPES = msgspec.json.Decoder(_Envelope)
_BODIES = msgspec.json.Decoder(dict[str, msgspec.Raw])


def unwrap(value: bytes, headers: Headers) -> bytes:
    """The event as bare JSON; `value` itself where the headers speak of no CloudEvent.

    Raises Refused, and what msgspec and str raise on bytes that are no JSON or no text."""
    for name, content in headers:
        if name == "ce_specversion":
            return _binary(value, headers)
        if name.lower() == "content-type" and _is_structured(content):
            return _structured(value)
    return value


def _is_structured(content: bytes | None) -> bool:
    return content is not None and content.lower().startswith(b"application/cloudevents")


def _binary(value: bytes, headers: Headers) -> bytes:
    # Kafka lets a header be null: it then says nothing.
    given = {name: content.decode() for name, content in headers if content and name[:3] == "ce_"}
    _check_version(given.get("ce_specversion"))
    stated = {name: given[f"ce_{name}"] for name in _FIELDS if f"ce_{name}" in given}
    return _merged(_BODIES.decode(value), stated)


def _structured(value: bytes) -> bytes:
    envelope = _ENVELOPES.decode(value)
    _check_version(envelope.specversion)
    stated = {"id": envelope.id, "type": envelope.type}
    if envelope.time is not None:
        stated["time"] = envelope.time
    return _merged(envelope.data, stated)


def _check_version(version: str | None) -> None:
    if version != "1.0":
        raise Refused(Reason.WRONG_TYPE, "CloudEvents specversion is not 1.0")


def _merged(body: dict[str, msgspec.Raw], stated: dict[str, str]) -> bytes:
    """The body with the stated attributes in it; raises Refused where the two contradict."""
    for attribute, text in stated.items():
        field = _FIELDS[attribute]
        # `com.shop.view_item` is our view_item: CloudEvents asks for a reverse-DNS prefix.
        value = text.rpartition(".")[2] if attribute == "type" else text
        if field in body and not _same(field, body[field], value):
            raise Refused(
                Reason.WRONG_TYPE, f"$.{field} contradicts the CloudEvents attribute {attribute}"
            )
        body[field] = msgspec.Raw(msgspec.json.encode(value))
    return msgspec.json.encode(body)


def _same(field: str, ours: msgspec.Raw, theirs: str) -> bool:
    if field == "time":
        return msgspec.json.decode(ours, type=datetime) == msgspec.convert(theirs, datetime)
    return msgspec.json.decode(ours, type=str) == theirs
