"""The steps of an erasure: what must come before what, and what the proof says when it fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.builders import NOON_MS

from millstream.domain.decode import decode
from millstream.domain.erasures import Erasure, Marks, event_of
from millstream.domain.events import EventType
from millstream.privacy.announce import Announcer, Topics
from millstream.privacy.erase import Means, Proof, erase
from millstream.privacy.places import AttributionPlace, LakePlace, Place, ReversePlace
from millstream.stores.erased_attributions import ErasedAttributions, Offsets
from millstream.stores.erasures import ErasedState
from millstream.stores.lake import Range
from millstream.stores.lake.ranges import partition_dir

TOPICS = Topics("e", "x", "l")
ANN, COOKIE = ("shop", "ann"), ("shop", "~cookie")


class Steps:
    """A producer, a Redis and a reverse table that note what was asked of them, in order."""

    def __init__(self, log_ms: int = NOON_MS + 7) -> None:
        self.done: list[tuple[str, Any]] = []
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.applied = True
        self.attributed = True
        self._log_ms = log_ms

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        timestamp_ms: int | None = None,
    ) -> Any:
        assert timestamp_ms in (NOON_MS, None)
        self.done.append(("send", topic))
        self.sent.append((topic, key, value))
        return SimpleNamespace(partition=3, offset=40 + len(self.sent), timestamp=self._log_ms)

    async def set_marks(self, marks: Marks) -> None:
        self.done.append(("mark", dict(marks)))

    async def clear(self, marks: Marks) -> None:
        self.done.append(("clear", dict(marks)))

    async def has_applied(self, name: object, source: object, offset: int) -> bool:
        self.done.append(("applied?", (name, source, offset)))
        return self.applied

    async def has_passed(self, lists: Offsets, events: Offsets) -> bool:
        self.done.append(("passed?", (dict(lists), dict(events))))
        return self.attributed

    async def remaining(self, marks: Marks) -> int:
        return 0 * len(marks)

    async def destroy(self, shoppers: Sequence[object]) -> None:
        self.done.append(("destroy", list(shoppers)))

    def means(self, *places: Place) -> Means:
        announcer = Announcer(self, TOPICS, lambda: NOON_MS)
        state, reverse = cast(ErasedState, self), cast(ReversePlace, self)
        attribution = AttributionPlace(cast(ErasedAttributions, self))
        return Means(announcer, state, attribution, reverse, places, lambda: NOON_MS)


class Scripted:
    """What it counts before, and what is left each time it is asked after."""

    name = "somewhere"
    what = "things"
    how = "counted"

    def __init__(self, *answers: int | None, before: int | None = 2, within_s: float = 5) -> None:
        self.within_s = within_s
        self.before = before
        self.asked: list[Marks] = []
        self._answers = list(answers)

    async def count(self, marks: Marks) -> int | None:
        self.asked.append(marks)
        return self.before

    async def left(self, marks: Marks) -> int | None:
        self.asked.append(marks)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def proof_of(place: Scripted) -> Proof:
    return (await erase([ANN], Steps().means(place)))["somewhere"]


async def test_a_damaged_lake_keeps_no_erasure_from_happening_elsewhere(tmp_path: Path) -> None:
    damaged = partition_dir(tmp_path, "e", 0) / Range(0, 1).file_name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1")
    steps = Steps()
    with capture_logs() as logs:
        proofs = await erase([ANN], steps.means(LakePlace(tmp_path, {"e": event_of}, 5)))
    assert ("clear", {ANN: NOON_MS + 7}) in steps.done
    assert (proofs["lake"].found_after, proofs["lake"].is_gone) == (None, False)
    assert damaged.name in str(logs)
    assert "ann" not in str(logs).replace(str(tmp_path), "")


async def test_each_step_comes_after_the_one_it_rests_on() -> None:
    steps, place = Steps(), Scripted(0)
    await erase([ANN, COOKIE], steps.means(place))
    marks = {ANN: NOON_MS + 7, COOKIE: NOON_MS + 7}
    assert steps.done == [
        ("send", "e"),
        ("send", "x"),
        ("send", "e"),
        ("send", "x"),
        ("mark", marks),
        ("clear", marks),  # what attribution holds
        ("applied?", (ANN, ("e", 3), 41)),
        ("send", "l"),
        ("applied?", (COOKIE, ("e", 3), 43)),
        ("send", "l"),
        ("clear", marks),
        ("destroy", [ANN, COOKIE]),
    ]
    assert place.asked[-1] == marks
    assert all(mark > NOON_MS + 60_000 for mark in place.asked[0].values()), "before: all there is"


async def test_what_attribution_holds_is_gone_once_it_has_read_the_erasure() -> None:
    steps = Steps()
    steps.attributed = False
    place = AttributionPlace(cast(ErasedAttributions, steps))
    place.within_s = 0.0
    means = steps.means(place)
    proof = await erase([ANN], dataclasses.replace(means, attribution=place))
    assert steps.done[-1] == ("passed?", ({3: 43}, {3: 41})), "tombstone and event"
    assert not proof["attribution"].is_gone, "what it has in hand it may write back"
    steps.attributed = True
    proof = await erase([ANN], dataclasses.replace(means, attribution=place))
    assert steps.done[-1] == ("passed?", ({3: 46}, {3: 44})), "of the second time"
    assert proof["attribution"].is_gone


async def test_the_request_is_an_event_a_record_and_a_tombstone_under_the_shopper_s_key() -> None:
    steps = Steps()
    await erase([COOKIE], steps.means(Scripted(0)))
    (_, key, said), (_, erasures_key, asked), (_, lists_key, tombstone) = steps.sent
    assert key == erasures_key == lists_key == b"shop:~cookie"
    event = decode(said, (), NOON_MS)
    assert (event.type, event.tenant, event.shopper) == (EventType.ERASE, *COOKIE)
    erasure = msgspec.json.decode(asked or b"", type=Erasure)
    assert (erasure.shopper, erasure.mark_ms) == (COOKIE, NOON_MS + 7), "by the broker's clock"
    assert (erasure.origin.topic, erasure.origin.partition, erasure.origin.offset) == ("e", 3, 41)
    assert tombstone is None


async def test_it_asks_until_nothing_is_left() -> None:
    proof = await proof_of(Scripted(None, 2, 1, 0))
    assert (proof.found_before, proof.found_after, proof.is_gone) == (2, 0, True)


@pytest.mark.parametrize(
    ("place", "after"),
    [
        (Scripted(3, within_s=0.2), 3),
        (Scripted(None, before=2, within_s=0.2), 2),  # it has not come here, and they are there
        (Scripted(None, before=0, within_s=0.2), None),  # none there, but some may be on the way
        (Scripted(None, before=None, within_s=60), None),  # can't be seen from here: no waiting
    ],
)
async def test_what_is_left_or_not_known_is_no_proof(place: Scripted, after: int | None) -> None:
    proof = await proof_of(place)
    assert proof.found_after == after
    assert not proof.is_gone


async def test_without_a_worker_the_list_is_taken_back_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("millstream.privacy.erase.APPLIED_WITHIN_S", 0.1)
    steps = Steps()
    steps.applied = False
    await erase([ANN], steps.means(Scripted(0)))
    assert steps.sent[-1] == ("l", b"shop:ann", None)
