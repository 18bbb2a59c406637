"""What the lake takes from a record, it takes unchanged."""

from __future__ import annotations

from pathlib import Path

from aiokafka.structs import ConsumerRecord

from millstream.lake.log import as_record
from millstream.stores.lake import LakeWriter, Range, records


def test_a_header_without_a_value_is_not_one_with_an_empty_value(tmp_path: Path) -> None:
    headers = (("gone", None), ("empty", b""), ("full", b"\xff"))
    message = ConsumerRecord("t", 0, 0, 7, 0, None, b"v", None, -1, 1, headers)
    taken = as_record(message)
    assert (taken.key, taken.value, taken.headers) == (None, b"v", headers)
    with LakeWriter(tmp_path) as lake:
        lake.write("t", 0, Range(0, 1), [taken])
    [read] = records(tmp_path, "t")
    assert read.headers == headers
