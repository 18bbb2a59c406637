"""When the reviews have ended: is each judged, counted once, and told; against the oracle."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from millstream.insights.settings import InsightsSettings
from millstream.local.chaos.plan import Told
from millstream.local.chaos.reading import LETTERS, letters_of
from millstream.local.chaos.report import Report
from millstream.local.chaos.reviews.oracle import Count, ReviewOracle
from millstream.local.chaos.scene import SLOTS, Scene
from millstream.local.chaos.watch import (
    AWAY,
    TENANTS,
    as_mapping,
    read_slots,
    residue,
    sums,
    torn,
)
from millstream.local.chaos.watermark import committed_offsets
from millstream.local.recount import broker_ends, read_records
from millstream.settings import load
from millstream.streaming.topics import REVIEW_COUNTS

ALL_COUNTED_S = 180.0
TOLD_S = 30.0
POLL_S = 0.2
KINDS = ("bad", "good")
"""By the number under which Redis counts them."""


@dataclass(frozen=True, slots=True)
class Found:
    """`ends`: of the verdicts' log."""

    oracle: ReviewOracle
    ends: Mapping[int, int]
    letters: set[tuple[int, int]]


async def reckon(scene: Scene, report: Report, told: Told) -> None:
    if not await _all_counted(scene):
        report.violations.append(f"not every review is counted {ALL_COUNTED_S:.0f} s after them")
    told("all is counted; the oracle reads reviews and verdicts")
    found = await _read(scene)
    report.reviews += len(found.oracle.judged)
    _judged(scene, found, report)
    await _ledger(scene, found, report)
    compare_counts(await _stored(scene), found.oracle.counts, report)
    if not await _is_told(scene, found.oracle.counts):
        report.violations.append(f"reviews: what is told differs {TOLD_S:.0f} s after the counts")


async def _all_counted(scene: Scene) -> bool:
    """Every review is judged by the group's position, and every slot stands at the end of every
    partition of the verdicts, which come to an end then."""
    deadline = time.monotonic() + ALL_COUNTED_S
    servers, reviews = scene.kafka.bootstrap_servers, scene.load.ends
    group = scene.settings.topic(load(InsightsSettings).insights_group)
    async with committed_offsets(servers, group, scene.topic) as read:
        while time.monotonic() < deadline:
            with contextlib.suppress(*AWAY):
                if await read(reviews) == dict(reviews) and await _stands_at_the_end(scene):
                    return True
            await asyncio.sleep(POLL_S)
    return False


async def _stands_at_the_end(scene: Scene) -> bool:
    ends = await broker_ends(scene.kafka.bootstrap_servers, scene.where.topic)
    async with scene.redis() as wire:
        slots = await read_slots(wire, scene.where)
    return all(slot.fences.get(p, 0) == end for slot in slots for p, end in ends.items())


async def _read(scene: Scene) -> Found:
    servers, oracle = scene.kafka.bootstrap_servers, ReviewOracle()
    async for record in read_records(servers, scene.topic, await broker_ends(servers, scene.topic)):
        place = (record.partition, record.offset)
        oracle.add_review(place, record.timestamp, record.value)
    ends = await broker_ends(servers, scene.where.topic)
    async for record in read_records(servers, scene.where.topic, ends):
        oracle.add_verdict(record.value)
    return Found(oracle, ends, await letters_of(servers, f"{scene.topic}{LETTERS}"))


def _judged(scene: Scene, found: Found, report: Report) -> None:
    oracle = found.oracle
    sent = {review_id for _, _, review_id in oracle.written}
    if missing := len(scene.load.ids - sent):
        report.violations.append(f"the log lacks {missing} acknowledged reviews")
    if oracle.unjudged:
        report.violations.append(f"{oracle.unjudged} reviews have no verdict")
    if oracle.strange:
        report.violations.append(f"{oracle.strange} verdicts are on no review that was written")
    report.lost += missing + oracle.unjudged
    missing, more = len(oracle.refused - found.letters), len(found.letters - oracle.refused)
    if missing or more:
        report.violations.append(
            f"dead letters: {missing} refused reviews have none, {more} that were not refused do"
        )


async def _ledger(scene: Scene, found: Found, report: Report) -> None:
    async with scene.redis() as wire:
        slots = await read_slots(wire, scene.where)
        told = [await torn(wire, scene.where, slot) for slot in range(SLOTS)]
    report.violations += [what for what in told if what is not None]
    differing = residue(slots, found.ends)
    report.conservation_residue += sum(map(abs, differing.values()))
    if differing:
        report.violations.append(f"I2: the ledger of verdicts differs by partition: {differing}")
    ledger, first = sums(slots), len(found.oracle.judged)
    due = {"acc": first, "dup": found.oracle.verdicts - first - found.oracle.strange}
    for name, wanted in due.items():
        if ledger[name] != wanted:
            report.violations.append(f"I1: verdicts: {ledger[name]} {name} instead of {wanted}")


async def _stored(scene: Scene) -> Counter[Count]:
    """From the partial counts themselves, as Redis holds them."""
    found: Counter[Count] = Counter()
    rows = [(tenant, slot) for tenant in TENANTS for slot in range(SLOTS)]
    async with scene.redis() as wire:
        replies = await wire.pipeline(
            [("HGETALL", f"{scene.where.key('i', slot)}:{tenant}") for tenant, slot in rows]
        )
    for (tenant, _), reply in zip(rows, replies, strict=True):
        for name, n in as_mapping(reply).items():
            kind, _, item = name.decode().partition("|")
            found[tenant, item, KINDS[int(kind)]] += int(n)
    return found


def compare_counts(stored: Counter[Count], due: Counter[Count], report: Report) -> None:
    lost, doubled = (due - stored).total(), (stored - due).total()
    report.lost += lost
    report.doubled += doubled
    if lost or doubled:
        report.violations.append(
            f"I1: counts of reviews lack {lost} verdicts and have {doubled} too many"
        )


async def _is_told(scene: Scene, due: Counter[Count]) -> bool:
    deadline = time.monotonic() + TOLD_S
    while await _told(scene) != due:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


async def _told(scene: Scene) -> Counter[Count]:
    """What stands on the topic of counts, each item's newest."""
    servers, topic = scene.kafka.bootstrap_servers, scene.settings.topic(REVIEW_COUNTS)
    newest: dict[bytes | None, bytes | None] = {}
    async for record in read_records(servers, topic, await broker_ends(servers, topic)):
        newest[record.key] = record.value
    found: Counter[Count] = Counter()
    for value in filter(None, newest.values()):
        told = json.loads(value)
        for verdict in KINDS:
            found[told["tenant"], told["item_id"], verdict] += told[verdict]
    return +found
