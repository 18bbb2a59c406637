"""What an episode's end says: the state and the lists against the oracle's reading of the log."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from millstream.local.chaos.oracle import Count, Due, Place
from millstream.local.chaos.reading import Reading, Shown, read_apart
from millstream.local.chaos.scene import SLOTS, Scene
from millstream.local.chaos.watch import LEDGER, read_slots, residue, sums, torn
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import TROUBLE, connected
from millstream.streaming.topics import RECOMMENDATIONS


@dataclass(slots=True)
class Verdict:
    """`lost` and `doubled`: events, of the shoppers' counts or of the ledger's accepted, whichever
    differ more; `resurrected`: events of shoppers who were erased that stand again."""

    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    resurrected: int = 0
    residue: int = 0
    violations: list[str] = field(default_factory=list)


async def judge(scene: Scene) -> Verdict:
    """When all has been counted. Reads the log, the lists and the whole state."""
    lists = scene.settings.topic(RECOMMENDATIONS)
    reading = await read_apart(scene.settings.kafka_bootstrap_servers, scene.topic, lists)
    verdict = Verdict(accepted=reading.due.ledger["acc"])
    _broken_promises(scene, reading.due, verdict)
    await _counts(scene, reading.due, verdict)
    _lists(scene, reading, verdict)
    _letters(reading, verdict)
    return verdict


def _broken_promises(scene: Scene, due: Due, verdict: Verdict) -> None:
    """What the broker acknowledged must be in the log."""
    missing = len(scene.load.ids - due.ids)
    short = sum(max(0, end - due.ends.get(p, 0)) for p, end in scene.load.ends.items())
    if missing or short:
        verdict.lost += max(missing, short)
        verdict.violations.append(f"the log lacks {missing} acknowledged events, {short} offsets")


async def _counts(scene: Scene, due: Due, verdict: Verdict) -> None:
    async with scene.redis() as wire:
        slots = await read_slots(wire, scene.where)
        for slot in range(SLOTS):
            if found := await torn(wire, scene.where, slot):
                verdict.violations.append(found)
    redis, keys = await connected(scene.settings.redis_url), Keys(scene.settings.redis_prefix)
    try:
        shoppers = await shopper_counts(redis, keys, SLOTS)
        items = await item_counts(redis, keys, SLOTS)
    finally:
        with contextlib.suppress(*TROUBLE):  # read is read
            await redis.aclose()
    differing = residue(slots, due.ends)
    verdict.residue = sum(map(abs, differing.values()))
    if differing:
        verdict.violations.append(f"I2: the ledger differs from the log by partition: {differing}")
    _compare_ledger(sums(slots), due.ledger, verdict)
    _compare_users(shoppers, due, verdict)
    _compare_items(items, due.items, verdict)


def _compare_ledger(found: Mapping[str, int], due: Mapping[str, int], verdict: Verdict) -> None:
    for name in LEDGER:
        differs = found.get(name, 0) - due.get(name, 0)
        if differs:
            verdict.violations.append(f"I1: the ledger has {differs:+d} {name}")
        if name == "acc":
            verdict.lost += max(0, -differs)
            verdict.doubled += max(0, differs)


def _compare_users(found: Mapping[Count, int], due: Due, verdict: Verdict) -> None:
    lost = doubled = 0
    for count in found.keys() | due.users.keys():
        differs = found.get(count, 0) - due.users.get(count, 0)
        if differs > 0 and count[:2] in due.erased:
            verdict.resurrected += differs
        doubled += max(0, differs)
        lost += max(0, -differs)
    if lost or doubled:
        verdict.violations.append(f"I1: shoppers lack {lost} events and have {doubled} too many")
    verdict.lost, verdict.doubled = max(verdict.lost, lost), max(verdict.doubled, doubled)
    if verdict.resurrected:
        verdict.violations.append(f"I6: {verdict.resurrected} events of erased shoppers stand")


def _compare_items(found: Mapping[Count, int], due: Mapping[Count, int], verdict: Verdict) -> None:
    differing = [key for key in found.keys() | due.keys() if found.get(key, 0) != due.get(key, 0)]
    if differing:
        more = sum(max(0, found.get(key, 0) - due.get(key, 0)) for key in differing)
        less = sum(max(0, due.get(key, 0) - found.get(key, 0)) for key in differing)
        verdict.violations.append(f"I1: items lack {less} lines and have {more} too many")


# ---------------------------------------------------------------- what went out (I5, I7, letters)


def _lists(scene: Scene, reading: Reading, verdict: Verdict) -> None:
    if spoilt := reading.served & scene.spoilt:
        verdict.violations.append(f"I7: lists were made with spoilt models {sorted(spoilt)}")
    due = reading.due
    owed = Counter(
        _owed(newest, name in due.gone, reading.shown[name]) for name, newest in due.newest.items()
    )
    del owed[""]
    verdict.violations += [f"I5: {n} shoppers {what}" for what, n in owed.items()]


def _owed(newest: Place, gone: bool, shown: Shown) -> str:
    """Empty when all is well."""
    if gone:
        if not shown.tombstones:
            return "left without a tombstone"
        return "" if shown.tombstone_last else "left, and have a list after the last tombstone"
    if shown.newest[0] > newest.log_ms:
        return ""
    if shown.newest[0] == newest.log_ms:
        at = shown.per_partition.get(newest.partition, -1)
        return "" if at >= newest.offset or shown.newest[1] != newest.partition else _BEHIND
    return _BEHIND


_BEHIND = "have no list for their newest event"


def _letters(reading: Reading, verdict: Verdict) -> None:
    """Each refused record is told once or more, and no other is."""
    missing = len(reading.due.refused - reading.letters)
    more = len(reading.letters - reading.due.refused)
    if missing or more:
        verdict.violations.append(
            f"dead letters: {missing} refused records have none, {more} that were not refused do"
        )
