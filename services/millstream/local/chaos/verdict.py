"""What an episode's end says: the state and the lists against the oracle's reading of the log."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from millstream.local.chaos.oracle import Count, Oracle, Place, ShopperKey
from millstream.local.chaos.scene import SLOTS, Scene
from millstream.local.chaos.watch import LEDGER, read_slots, residue, sums, torn
from millstream.local.recount import broker_ends, read_records
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import connected
from millstream.streaming.topics import RECOMMENDATIONS

QUIET_S = 60.0


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
    servers = scene.settings.kafka_bootstrap_servers
    ends = await broker_ends(servers, scene.topic)
    oracle = Oracle()
    async for record in read_records(servers, scene.topic, ends):
        oracle.add(Place(record.partition, record.offset, record.timestamp), record.value)
    verdict = Verdict(accepted=oracle.ledger["acc"])
    _broken_promises(scene, oracle, ends, verdict)
    await _counts(scene, oracle, ends, verdict)
    await _lists(scene, oracle, verdict)
    return verdict


def _broken_promises(
    scene: Scene, oracle: Oracle, ends: Mapping[int, int], verdict: Verdict
) -> None:
    """What the broker acknowledged must be in the log."""
    missing = len(scene.load.ids - oracle.ids)
    short = sum(max(0, end - ends.get(p, 0)) for p, end in scene.load.ends.items())
    if missing or short:
        verdict.lost += max(missing, short)
        verdict.violations.append(f"the log lacks {missing} acknowledged events, {short} offsets")


async def _counts(scene: Scene, oracle: Oracle, ends: Mapping[int, int], verdict: Verdict) -> None:
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
        await redis.aclose()
    differing = residue(slots, ends)
    verdict.residue = sum(map(abs, differing.values()))
    if differing:
        verdict.violations.append(f"I2: the ledger differs from the log by partition: {differing}")
    _compare_ledger(sums(slots), oracle.ledger, verdict)
    _compare_users(shoppers, oracle, verdict)
    _compare_items(items, oracle.items, verdict)


def _compare_ledger(found: Mapping[str, int], due: Mapping[str, int], verdict: Verdict) -> None:
    for name in LEDGER:
        differs = found.get(name, 0) - due.get(name, 0)
        if differs:
            verdict.violations.append(f"I1: the ledger has {differs:+d} {name}")
        if name == "acc":
            verdict.lost += max(0, -differs)
            verdict.doubled += max(0, differs)


def _compare_users(found: Mapping[Count, int], oracle: Oracle, verdict: Verdict) -> None:
    due, erased = oracle.users(), oracle.erased()
    lost = doubled = 0
    for count in found.keys() | due.keys():
        differs = found.get(count, 0) - due.get(count, 0)
        if differs > 0 and count[:2] in erased:
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


# ---------------------------------------------------------------- lists (I5)


@dataclass(slots=True)
class _Shown:
    """What went out for one shopper, in the order of the lists' topic."""

    newest: tuple[int, int, int] = (-1, -1, -1)
    per_partition: dict[int, int] = field(default_factory=dict)
    tombstone_last: bool = False
    tombstones: int = 0


async def _lists(scene: Scene, oracle: Oracle, verdict: Verdict) -> None:
    servers = scene.settings.kafka_bootstrap_servers
    topic = scene.settings.topic(RECOMMENDATIONS)
    shown: defaultdict[ShopperKey, _Shown] = defaultdict(_Shown)
    served: set[str] = set()
    async for record in read_records(servers, topic, await broker_ends(servers, topic)):
        tenant, _, shopper = (record.key or b"").decode().partition(":")
        served.add(_show(shown[tenant, shopper], record.value))
    if spoilt := served & scene.spoilt:
        verdict.violations.append(f"I7: lists were made with spoilt models {sorted(spoilt)}")
    owed = Counter(
        _owed(newest, shopper.gone, shown[name])
        for name, shopper in oracle.shoppers.items()
        if (newest := shopper.newest) is not None
    )
    del owed[""]
    verdict.violations += [f"I5: {n} shoppers {what}" for what, n in owed.items()]


def _show(shown: _Shown, value: bytes | None) -> str:
    """The version of the list's model; empty for a tombstone."""
    shown.tombstone_last = value is None
    if value is None:
        shown.tombstones += 1
        return ""
    body = json.loads(value)
    log_ms = round(datetime.fromisoformat(body["log_time"]).timestamp() * 1000)
    partition, offset = body["origin"]["partition"], body["origin"]["offset"]
    shown.newest = max(shown.newest, (log_ms, partition, offset))
    shown.per_partition[partition] = max(shown.per_partition.get(partition, -1), offset)
    return str(body["model_version"])


def _owed(newest: Place, gone: bool, shown: _Shown) -> str:
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
