"""The committed wire is the one the code speaks, and does not change under those who use it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from millstream.cli.schema_compatibility import narrowings
from millstream.cli.schemas import MESSAGES, rendered, schema_of, write_schemas
from millstream.domain.clock import wall_clock
from millstream.domain.decode import decode
from millstream.domain.errors import OperatorError, Reason, Refused
from millstream.domain.log import LogRecord
from millstream.streaming.dead_letters import MAX_LETTER_BYTES, letter
from millstream.streaming.topics import read_topics, topic_config

SCHEMAS = Path(__file__).parents[2] / "schemas"
SAMPLES = SCHEMAS / "samples"
ASYNCAPI = SCHEMAS / "asyncapi.yaml"

messages = pytest.mark.parametrize("message", MESSAGES)


def sample(message: str, verdict: str) -> bytes:
    return (SAMPLES / f"{message}.{verdict}.json").read_bytes()


def committed(message: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{message}.json").read_text())
    return schema


def validator(message: str) -> Draft202012Validator:
    return Draft202012Validator(committed(message))


@messages
def test_the_committed_schema_is_the_generated_one(message: str) -> None:
    made = rendered(schema_of(message))
    assert (SCHEMAS / f"{message}.json").read_text() == made, "run `make schemas`"
    Draft202012Validator.check_schema(json.loads(made))


def test_no_file_lies_beside_them() -> None:
    made = {f"{message}.json" for message in MESSAGES}
    assert {path.name for path in SCHEMAS.glob("*.json")} == made
    samples = {f"{name}.{verdict}.json" for name in MESSAGES for verdict in ("accepted", "refused")}
    assert {path.name for path in SAMPLES.iterdir()} == samples


@messages
def test_the_accepted_sample_is_accepted_by_schema_and_decoder(message: str) -> None:
    value = sample(message, "accepted")
    validator(message).validate(json.loads(value))
    read = msgspec.json.decode(value, type=MESSAGES[message])
    assert set(read.__struct_fields__) >= set(json.loads(value))
    # What we write is within the schema, too.
    validator(message).validate(json.loads(msgspec.json.encode(read)))


@messages
def test_the_refused_sample_is_refused_by_schema_and_decoder(message: str) -> None:
    value = sample(message, "refused")
    assert not validator(message).is_valid(json.loads(value))
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(value, type=MESSAGES[message])


def test_the_event_samples_meet_the_whole_rule() -> None:
    now = wall_clock()
    assert decode(sample("event.v1", "accepted"), (), now).tenant == "default"
    with pytest.raises(Refused) as refused:
        decode(sample("event.v1", "refused"), (), now)
    assert refused.value.reason is Reason.UNKNOWN_EVENT_TYPE


@messages
def test_the_generated_schema_takes_what_the_committed_one_took(message: str) -> None:
    assert narrowings(committed(message), schema_of(message)) == []


def event(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["Event"]
    return found


Change = Callable[[dict[str, Any]], object]

INCOMPATIBLE: dict[str, Change] = {
    "field removed": lambda s: event(s)["properties"].pop("query"),
    "nested field removed": lambda s: s["$defs"]["Line"]["properties"].pop("price"),
    "new required field": lambda s: event(s)["required"].append("channel"),
    "field became required": lambda s: event(s)["required"].append("user_id"),
    "nested field became required": lambda s: s["$defs"]["Line"]["required"].append("price"),
    "type changed": lambda s: event(s)["properties"]["time"].update(type="integer"),
    "number became integer": lambda s: price(s).update(type="integer"),
    "null taken away": lambda s: event(s)["properties"]["query"]["anyOf"].pop(),
    "alternative taken away": lambda s: context(s)["anyOf"].pop(0),
    "enum value removed": lambda s: s["$defs"]["EventType"]["enum"].remove("search"),
    "enum added": lambda s: event(s)["properties"]["tenant"].update(enum=["default"]),
    "maxLength fell": lambda s: event(s)["properties"]["event_id"].update(maxLength=64),
    "minLength rose": lambda s: event(s)["properties"]["event_id"].update(minLength=2),
    "minLength added": lambda s: event(s)["properties"]["tenant"].update(minLength=2),
    "maxLength fell under anyOf": lambda s: event(s)["properties"]["query"]["anyOf"][0].update(
        maxLength=10
    ),
    "minimum rose": lambda s: s["$defs"]["Line"]["properties"]["quantity"].update(minimum=1),
    "maximum fell": lambda s: price(s).update(maximum=10),
    "exclusiveMinimum added": lambda s: price(s).update(exclusiveMinimum=0),
    "maxItems fell": lambda s: event(s)["properties"]["items"].update(maxItems=100),
    "minItems added": lambda s: event(s)["properties"]["items"].update(minItems=1),
    "maxProperties fell": lambda s: event(s)["properties"]["context"].update(maxProperties=3),
    "pattern changed": lambda s: event(s)["properties"]["tenant"].update(pattern="^a"),
    "format added": lambda s: event(s)["properties"]["event_id"].update(format="uuid"),
    "default changed": lambda s: event(s)["properties"]["tenant"].update(default="other"),
    "default changed under anyOf": lambda s: event(s)["properties"]["query"].update(default=""),
    "closed to other fields": lambda s: event(s).update(additionalProperties=False),
    "item of another kind": lambda s: event(s)["properties"]["items"].update(
        items={"type": "string"}
    ),
}

COMPATIBLE: dict[str, Change] = {
    "optional field added": lambda s: event(s)["properties"].update(channel={"type": "string"}),
    "no longer required": lambda s: event(s)["required"].remove("time"),
    "enum value added": lambda s: s["$defs"]["EventType"]["enum"].append("add_review"),
    "maxLength rose": lambda s: event(s)["properties"]["event_id"].update(maxLength=256),
    "minimum gone": lambda s: price(s).pop("minimum"),
    "integer became number": lambda s: s["$defs"]["Line"]["properties"]["quantity"].update(
        type="number"
    ),
    "null allowed": lambda s: event(s)["properties"].update(
        items={"anyOf": [event(s)["properties"]["items"], {"type": "null"}], "default": []}
    ),
    "pattern gone": lambda s: event(s)["properties"]["tenant"].pop("pattern"),
    "other words": lambda s: event(s).update(description="Otherwise said"),
}


def price(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"]["Line"]["properties"]["price"]["anyOf"][0]
    return found


def context(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = event(schema)["properties"]["context"]["additionalProperties"]
    return found


def changed(change: Change) -> dict[str, Any]:
    schema = copy.deepcopy(committed("event.v1"))
    change(schema)
    assert schema != committed("event.v1")
    return schema


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_an_incompatible_change_is_found(name: str) -> None:
    assert len(narrowings(committed("event.v1"), changed(INCOMPATIBLE[name]))) == 1


@pytest.mark.parametrize("name", COMPATIBLE)
def test_a_compatible_change_passes(name: str) -> None:
    assert narrowings(committed("event.v1"), changed(COMPATIBLE[name])) == []


def test_an_incompatible_change_is_not_written(tmp_path: Path) -> None:
    files = write_schemas(tmp_path)
    assert {path.name for path in files} == {f"{message}.json" for message in MESSAGES}
    # What stands there accepts more than the code does.
    wider = changed(lambda s: event(s)["properties"]["event_id"].update(maxLength=256))
    (tmp_path / "event.v1.json").write_text(json.dumps(wider))
    before = {path: path.read_bytes() for path in files}
    with pytest.raises(OperatorError, match=r"event\.v1\.json.*event_id: maxLength fell"):
        write_schemas(tmp_path)
    assert {path: path.read_bytes() for path in files} == before


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(ASYNCAPI.read_text())
    return document


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere(asyncapi: dict[str, Any]) -> None:
    files = set()
    for reference in references(asyncapi):
        name, _, pointer = reference.partition("#")
        if name:
            files.add(name)
            assert (SCHEMAS / name).is_file(), reference
        found: Any = asyncapi if not name else committed(name.removesuffix(".json"))
        for step in filter(None, pointer.split("/")):
            assert step in found, reference
            found = found[step]
    assert files == {f"{message}.json" for message in MESSAGES}


def test_the_channels_are_the_topics(asyncapi: dict[str, Any]) -> None:
    told = {}
    for channel in asyncapi["channels"].values():
        kafka = channel["bindings"]["kafka"]
        assert kafka["topic"] == channel["address"]
        told[channel["address"]] = (kafka["partitions"], kafka["topicConfiguration"])
    meant = {}
    for spec in read_topics():
        config: dict[str, Any] = dict(topic_config(spec, replay=False))
        del config["message.timestamp.type"]  # not a word of the Kafka binding
        config["cleanup.policy"] = list(spec.cleanup_policy)
        numbers = {name: int(config[name]) for name in config if name != "cleanup.policy"}
        meant[spec.name] = (spec.partitions, {**config, **numbers})
    assert told == meant


def test_every_channel_has_a_message_with_a_key(asyncapi: dict[str, Any]) -> None:
    told = [ref for channel in asyncapi["channels"].values() for ref in references(channel)]
    assert set(told) == {f"#/components/messages/{m}" for m in messages_of(asyncapi)}
    assert all("key" in m["bindings"]["kafka"] for m in messages_of(asyncapi).values())


def messages_of(asyncapi: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = asyncapi["components"]["messages"]
    return found


@pytest.mark.parametrize("value", [b"{", None, b"x" * MAX_LETTER_BYTES])
def test_a_dead_letters_headers_are_the_documented_ones(
    asyncapi: dict[str, Any], value: bytes | None
) -> None:
    documented = messages_of(asyncapi)["deadLetter"]["headers"]
    record = LogRecord("shop.events.v1", 1, 2, 3, None, value)
    for reason in Reason:
        *_, headers = letter(record, Refused(reason, "detail"))
        said = {name: content.decode() for name, content in headers if content is not None}
        assert said.keys() <= documented["properties"].keys()
        Draft202012Validator(documented).validate(said)
    assert set(documented["properties"]["millstream.error.reason"]["enum"]) == set(Reason)
