"""Letters written for an operator to mend, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.cli.letter_files import as_json, read_mended
from millstream.domain.errors import OperatorError
from millstream.domain.replayed import Origin
from millstream.streaming.stored_letters import StoredLetter


def letter(value: bytes | None, key: bytes | None = b"default:ann") -> StoredLetter:
    return StoredLetter(
        partition=4,
        offset=17,
        reason="undecodable",
        detail="not JSON",
        topic="t",
        source_partition=3,
        source_offset=41,
        log_ms=5,
        origin=Origin("t", 3, 41, 5),
        key=key,
        value=value,
        headers=(("trace", b"\xfe"), ("gone", None)),
        whole=True,
    )


def test_without_body_there_is_nothing_a_producer_wrote() -> None:
    told = json.dumps(as_json(letter(b'{"user_id":"ann"}'), body=False))
    assert "ann" not in told
    assert "trace" not in told


@pytest.mark.parametrize("value", [b'{"a": "\xc3\xa9", "a": 1}', b"", b"\xff\x00", b"\xef\xbb\xbf"])
def test_bytes_come_back_as_they_were(value: bytes, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text(json.dumps(as_json(letter(value), body=True), ensure_ascii=False) + "\n\n")
    assert read_mended(file) == {"4:17": value}


def test_an_object_is_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text('{"letter": "0:1", "value": {"type": "view_item"}}\n')
    assert json.loads(read_mended(file)["0:1"]) == {"type": "view_item"}


@pytest.mark.parametrize(
    "line", ["[]", "{", '{"letter": "0:1"}', '{"value": "x"}', '{"letter": "0:1", "value": 5}']
)
def test_a_line_that_is_none_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text('{"letter": "0:1", "value": "x"}\n' + line + "\n")
    with pytest.raises(OperatorError, match="line 2"):
        read_mended(file)


def test_a_file_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.jsonl"):
        read_mended(tmp_path / "none.jsonl")
