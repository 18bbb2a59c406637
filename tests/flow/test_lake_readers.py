"""Readers of the lake beside a writer that merges or forgets: what they see is whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders import NOON_MS
from tests.contract.test_lake_forget import OURS, TOPIC, said
from tests.unit.stores.test_lake_files import read_offsets, write

from millstream.stores.lake import LakeWriter, Range, forget, merge_small, read_accepted, records
from millstream.stores.lake.merge import FEWEST_FILES
from millstream.stores.lake.ranges import in_force, partition_dir


def test_readers_beside_a_merging_writer_see_each_record_once(tmp_path: Path) -> None:
    files, problems = 120, list[str]()
    done = threading.Event()

    def read_until_done() -> None:
        while True:
            last_round = done.is_set()
            found = read_offsets(tmp_path)
            if found != list(range(len(found))):
                problems.append(f"{len(found)} records, {len(set(found))} of them different")
            if last_round:
                return

    reader = threading.Thread(target=read_until_done)
    with LakeWriter(tmp_path) as lake:
        write(lake, 0, 3)
        reader.start()
        try:
            merges = 0
            for start in range(3, 3 * files, 3):
                write(lake, start, start + 3)
                merges += merge_small(lake, TOPIC, 0) is not None
        finally:
            done.set()
            reader.join()
    assert not problems
    assert merges > 10
    assert len(in_force(partition_dir(tmp_path, TOPIC, 0))) < 2 * FEWEST_FILES
    assert read_offsets(tmp_path) == list(range(3 * files))


def users_in_records(root: Path) -> set[bytes | None]:
    return {record.key for record in records(root, TOPIC)}


def users_in_rows(root: Path) -> set[bytes | None]:
    return {b"default:%b" % user.encode() for user in read_accepted(root, TOPIC, "default")["user"]}


@pytest.mark.parametrize("read", [users_in_records, users_in_rows])
def test_readers_beside_it_see_whole_files(
    tmp_path: Path, read: Callable[[Path], set[bytes | None]]
) -> None:
    """Files are replaced under their names while others read them: each reading finds the others'
    records, and of the erased all or a part, never a damaged file."""
    users, rows = 12, 120
    names = ["stays", *(OURS.shopper(f"user{n}") for n in range(1, users))]
    problems, done = list[str](), threading.Event()

    def read_until_done() -> None:
        try:
            while not done.is_set():
                if b"default:stays" not in read(tmp_path):
                    problems.append("lost")
        except Exception as error:  # noqa: BLE001  any is a finding
            problems.append(repr(error))

    reader = threading.Thread(target=read_until_done)
    with LakeWriter(tmp_path) as lake:
        for start in range(0, rows, 30):
            batch = [said(offset, names[offset % users]) for offset in range(start, start + 30)]
            lake.write(TOPIC, 0, Range(start, start + 30), batch)
        reader.start()
        try:
            for user in names[1:]:
                forget(lake, TOPIC, {("default", user): NOON_MS + 10**6})
        finally:
            done.set()
            reader.join()
    assert not problems
    assert read(tmp_path) == {b"default:stays"}
