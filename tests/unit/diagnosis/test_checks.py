"""Each finding of the doctor has its verdict, and a bad one says how to mend it."""

from __future__ import annotations

import pytest
import yaml
from aiokafka.partitioner import DefaultPartitioner
from tests.documents import ROOT

from millstream.cli.doctor import Role, result
from millstream.diagnosis.check import Check, Verdict, examined
from millstream.diagnosis.clocks import newest_record_check, skew_check
from millstream.diagnosis.placement import Placed, murmur2_partition, placement_check
from millstream.domain.errors import Halt, OperatorError

PARTITIONS = 12
KEYS = [f"default:shopper-{n}".encode() for n in range(300)]


def placed(key: bytes | None, partition: int) -> Placed:
    return Placed(partition, key, 0)


def test_keys_are_expected_where_our_own_producer_puts_them() -> None:
    every = list(range(PARTITIONS))
    for key in KEYS:
        assert murmur2_partition(key, PARTITIONS) == DefaultPartitioner()(key, every, every)


def test_a_producer_that_hashes_otherwise_is_found() -> None:
    right = [placed(key, murmur2_partition(key, PARTITIONS)) for key in KEYS]
    assert placement_check(right, PARTITIONS).verdict is Verdict.OK
    wrong = [*right, placed(KEYS[0], (murmur2_partition(KEYS[0], PARTITIONS) + 1) % PARTITIONS)]
    check = placement_check(wrong, PARTITIONS)
    assert check.verdict is Verdict.BAD
    assert "of 301 records 1 on another partition" in check.found
    assert "murmur2_random" in check.remedy


def test_events_without_a_key_are_bad_and_an_empty_topic_is_not() -> None:
    assert placement_check([placed(None, 0)], PARTITIONS).verdict is Verdict.BAD
    assert placement_check([], PARTITIONS).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("skew_ms", "verdict", "found"),
    [
        (0, Verdict.OK, "0.000 s behind"),
        (-1_000, Verdict.OK, "1.000 s behind"),
        (1_001, Verdict.WARNING, "1.001 s ahead"),
        (-60_000, Verdict.WARNING, "60.000 s behind"),
        (60_001, Verdict.BAD, "60.001 s ahead"),
    ],
)
def test_clocks_apart_are_told_with_their_side(skew_ms: int, verdict: Verdict, found: str) -> None:
    check = skew_check("clock", skew_ms)
    assert (check.verdict, check.found) == (verdict, found)
    assert bool(check.remedy) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("newest_ms", "verdict"),
    [(None, Verdict.OK), (1, Verdict.OK), (100_500, Verdict.OK), (200_000, Verdict.BAD)],
)
def test_only_a_record_from_the_future_speaks_of_the_logs_clock(
    newest_ms: int | None, verdict: Verdict
) -> None:
    assert newest_record_check("clock", newest_ms, 100_000).verdict is verdict


async def test_what_a_check_raises_is_what_it_found() -> None:
    async def halts() -> Check:
        raise Halt("it would drop counts")

    async def refuses() -> Check:
        raise OperatorError("slots", "4", "16", "Keep it")

    halted, refused = await examined("a", halts(), "mend it"), await examined("b", refuses())
    assert halted == Check("a", Verdict.BAD, "it would drop counts", "mend it")
    assert refused == Check("b", Verdict.BAD, "slots: got 4; expected 16", "Keep it")


def test_a_warning_alone_is_no_failure() -> None:
    warned = [Check("a", Verdict.OK, "x"), Check("b", Verdict.WARNING, "y", "z")]
    assert result(warned) == {
        "checks": [
            {"name": "a", "verdict": "ok", "found": "x", "remedy": ""},
            {"name": "b", "verdict": "warning", "found": "y", "remedy": "z"},
        ],
        "ok": 1,
    }
    assert result([*warned, Check("c", Verdict.BAD, "y", "z")])["ok"] == 0


def test_the_doctor_knows_every_role_that_has_rights() -> None:
    roles = yaml.safe_load((ROOT / "deploy" / "kafka" / "acls.yaml").read_text())
    assert {role.value for role in Role} == roles.keys()
