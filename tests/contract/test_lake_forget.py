"""Erased shoppers leave the files: all of theirs, nothing else, whatever stops the writer."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from tests.builders import NOON_MS, event
from tests.byte_scan import found_in, in_lake
from tests.effort import tries

from millstream.domain.acceptance import Shopper
from millstream.domain.clock import as_datetime
from millstream.domain.erasures import is_covered, verdict_of
from millstream.domain.log import LogRecord
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms
from millstream.stores.lake import (
    LakeWriter,
    Range,
    forget,
    is_blank,
    is_forgotten,
    last_record,
    merge_small,
    offsets,
    read_accepted,
    records,
    remembered,
)
from millstream.stores.lake.forget import DONE_NAME

TOPIC = "shop.events.v1"
OURS = Pseudonyms(b"k" * KEY_BYTES, "default")
ANN = OURS.shopper("ann")
MARKS: dict[Shopper, int] = {("default", ANN): NOON_MS + 10**6}


def said(offset: int, user: str, partition: int = 0) -> LogRecord:
    value = msgspec.json.encode(event(f"e{partition}-{offset}", user, at_ms=NOON_MS + offset))
    key = f"default:{user}".encode()
    return LogRecord(TOPIC, partition, offset, NOON_MS + offset, key, value, (("h", b"1"),))


def filled(root: Path, files: int = 4, rows: int = 5, partitions: int = 2) -> list[LogRecord]:
    """Every third record is Ann's; among hers a broken one, and one under another key."""
    made = []
    with LakeWriter(root) as lake:
        for partition in range(partitions):
            for start in range(0, files * rows, rows):
                batch = [
                    said(offset, ANN if offset % 3 == 0 else f"u{offset}", partition)
                    for offset in range(start, start + rows)
                ]
                lake.write(TOPIC, partition, Range(start, start + rows), batch)
                made += batch
            end = files * rows
            broken = LogRecord(
                TOPIC, partition, end, NOON_MS, None, b'{"user_id":"%b"' % (ANN.encode())
            )
            strayed = LogRecord(
                TOPIC, partition, end + 1, NOON_MS, b"elsewhere", said(end + 1, ANN).value
            )
            other = LogRecord(TOPIC, partition, end + 2, NOON_MS, None, b"{")
            lake.write(TOPIC, partition, Range(end, end + 3), [broken, strayed, other])
            made += [broken, strayed, other]
    return made


def names_ann(root: Path) -> bool:
    return found_in(in_lake(root), {ANN}) == {ANN}


def names_of(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*.parquet")}


def test_all_of_the_shopper_s_records_go_and_every_place_stays(tmp_path: Path) -> None:
    made = filled(tmp_path)
    files, ends = names_of(tmp_path), offsets(tmp_path, TOPIC)
    theirs = [record for record in made if is_covered(record, MARKS)]
    assert remembered(tmp_path, TOPIC, MARKS) == len(theirs) == 2 * (7 + 2)
    assert names_ann(tmp_path)
    with LakeWriter(tmp_path) as lake:
        assert not is_forgotten(tmp_path, TOPIC, MARKS)
        done = forget(lake, TOPIC, MARKS)
        assert (done.erasures, done.records) == (1, len(theirs))
        assert forget(lake, TOPIC, MARKS).erasures == 0
    assert is_forgotten(tmp_path, TOPIC, MARKS)
    assert remembered(tmp_path, TOPIC, MARKS) == 0
    assert not names_ann(tmp_path)
    kept = sorted((r for r in made if r not in theirs), key=lambda r: (r.partition, r.offset))
    found = sorted(records(tmp_path, TOPIC), key=lambda r: (r.partition, r.offset))
    assert found == kept, "to the byte: keys, values, headers, times"
    assert (names_of(tmp_path), offsets(tmp_path, TOPIC)) == (files, ends)
    assert ANN not in set(read_accepted(tmp_path, TOPIC, "default")["user"])


def test_a_file_without_them_is_not_touched(tmp_path: Path) -> None:
    filled(tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*.parquet")}
    with LakeWriter(tmp_path) as lake:
        assert forget(lake, TOPIC, {("default", OURS.shopper("nobody")): NOON_MS + 1}).files == 0
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*.parquet")} == before


@pytest.mark.parametrize("name", ['ü/"\\', "17850", "~cookie", "a.b"])
def test_any_id_is_found_however_json_writes_it(tmp_path: Path, name: str) -> None:
    more = {"anonymous_id": name[1:]} if name[0] == "~" else {"user_id": name}
    escaped = msgspec.json.encode({**msgspec.to_builtins(event("e", None)), **more})
    if not name.isascii():
        escaped = escaped.replace("ü".encode(), b"\\u00fc")
    with LakeWriter(tmp_path) as lake:
        rows = [LogRecord(TOPIC, 0, 0, NOON_MS, b"k", escaped), said(1, "b")]
        lake.write(TOPIC, 0, Range(0, 2), rows)
        assert forget(lake, TOPIC, {("default", name): NOON_MS}).records == 1
    assert [r.offset for r in records(tmp_path, TOPIC)] == [1]


def test_many_at_once(tmp_path: Path) -> None:
    made = filled(tmp_path)
    marks = {("default", f"u{n}"): NOON_MS + 10**6 for n in range(0, 100, 2)} | MARKS
    with LakeWriter(tmp_path) as lake:
        forget(lake, TOPIC, marks)
    assert {r.offset for r in records(tmp_path, TOPIC)} == {
        r.offset for r in made if not is_covered(r, marks)
    }


def judged(offset: int, user: str, written_ms: int, log_ms: int) -> LogRecord:
    verdict = {
        "review_id": f"r{offset}",
        "tenant": "default",
        "user": user,
        "item_id": "mug",
        "verdict": "good",
        "probability": 0.9,
        "model_version": "sentiment-v1",
        "time": as_datetime(written_ms).isoformat(),
    }
    value = msgspec.json.encode(verdict)
    return LogRecord("verdicts", 0, offset, log_ms, f"default:{user}".encode(), value)


def test_verdicts_on_what_a_shopper_wrote_before_go_also_where_they_were_given_after(
    tmp_path: Path,
) -> None:
    mark = MARKS["default", ANN]
    rows = [
        judged(0, ANN, NOON_MS, NOON_MS),
        judged(1, "bob", NOON_MS, NOON_MS),
        judged(2, ANN, NOON_MS, mark + 1),
        judged(3, ANN, mark + 1, mark + 1),
        LogRecord("verdicts", 0, 4, NOON_MS, f"default:{ANN}".encode(), b"{"),
    ]
    with LakeWriter(tmp_path) as lake:
        lake.write("verdicts", 0, Range(0, 5), rows)
        assert remembered(tmp_path, "verdicts", MARKS, verdict_of) == 3
        assert forget(lake, "verdicts", MARKS, verdict_of).records == 3
    assert [r.offset for r in records(tmp_path, "verdicts")] == [1, 3]
    assert not is_forgotten(tmp_path, TOPIC, MARKS), "of events nothing was looked at"


def test_the_witness_of_the_log_is_a_blank_with_its_place_and_time(tmp_path: Path) -> None:
    with LakeWriter(tmp_path) as lake:
        lake.write(TOPIC, 0, Range(0, 2), [said(0, "u"), said(1, ANN)])
        forget(lake, TOPIC, MARKS)
    last = last_record(tmp_path, TOPIC, 0)
    assert last is not None
    assert is_blank(last)
    assert (last.offset, last.log_ms) == (1, NOON_MS + 1)


def test_a_crash_at_any_step_leaves_every_record_once_and_the_next_pass_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails at the n-th sync, for every n until the pass comes through."""
    steps = 0
    for fails_at in range(100):
        root = tmp_path / str(fails_at)
        made = filled(root, files=2)
        count = 0

        def sync(_: int) -> None:
            nonlocal count
            count += 1
            if count == fails_at + 1:  # noqa: B023  called in this turn alone
                raise OSError(5, "I/O error")

        crashed = False
        with LakeWriter(root) as lake, monkeypatch.context() as patch:
            patch.setattr("os.fsync", sync)
            try:
                forget(lake, TOPIC, MARKS)
            except OSError:
                crashed = True
        others = {(r.partition, r.offset) for r in made if not is_covered(r, MARKS)}
        found = [(r.partition, r.offset) for r in records(root, TOPIC)]
        assert len(found) == len(set(found))
        assert others <= set(found)
        if not crashed:
            break
        steps += 1
        assert not is_forgotten(root, TOPIC, MARKS) or remembered(root, TOPIC, MARKS) == 0
        with LakeWriter(root) as lake:
            forget(lake, TOPIC, MARKS)
        assert is_forgotten(root, TOPIC, MARKS)
        assert not names_ann(root)
        assert {(r.partition, r.offset) for r in records(root, TOPIC)} == others
    assert steps >= 8


def test_a_torn_line_in_the_list_of_what_was_done_means_it_was_not(tmp_path: Path) -> None:
    filled(tmp_path)
    with LakeWriter(tmp_path) as lake:
        forget(lake, TOPIC, MARKS)
        path = tmp_path / DONE_NAME
        path.write_bytes(path.read_bytes()[:-3])
        assert not is_forgotten(tmp_path, TOPIC, MARKS)
        assert forget(lake, TOPIC, MARKS).erasures == 1
    assert is_forgotten(tmp_path, TOPIC, MARKS)


def test_a_later_mark_of_the_same_shopper_is_another_pass(tmp_path: Path) -> None:
    filled(tmp_path)
    with LakeWriter(tmp_path) as lake:
        forget(lake, TOPIC, {("default", ANN): NOON_MS - 1})
        assert remembered(tmp_path, TOPIC, MARKS) > 0, "what came after the first mark stays"
        assert forget(lake, TOPIC, MARKS).records > 0
    assert remembered(tmp_path, TOPIC, MARKS) == 0


def interleaved(root: Path, seed: int) -> None:
    """Writes, merges and erasures in a random order."""
    rng = random.Random(seed)
    users = [OURS.shopper(f"user{n}") for n in range(6)]
    written: list[LogRecord] = []
    marks: dict[Shopper, int] = {}
    with LakeWriter(root) as lake:
        offset = 0
        for _ in range(60):
            act = rng.random()
            if act < 0.7:
                size = rng.randint(1, 4)
                rows = [said(o, rng.choice(users)) for o in range(offset, offset + size)]
                lake.write(TOPIC, 0, Range(offset, offset + size), rows)
                written, offset = written + rows, offset + size
            elif act < 0.9:
                merge_small(lake, TOPIC, 0)
            else:
                new = {("default", rng.choice(users)): NOON_MS + offset - 1}
                marks |= new
                forget(lake, TOPIC, new)
    kept = [r for r in written if not is_covered(r, marks)]
    assert sorted(records(root, TOPIC), key=lambda r: r.offset) == kept
    assert offsets(root, TOPIC) == {0: offset}


@pytest.mark.parametrize("seed", range(tries(12)))
def test_merges_neither_lose_nor_bring_back(tmp_path: Path, seed: int) -> None:
    interleaved(tmp_path, seed)
