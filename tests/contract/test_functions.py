"""The Redis library against the pure rules: exact under every order of faults, or refused."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from tests.builders import NOON_MS, TOPIC, event
from tests.near import add_near, near_of
from tests.parsed_ops import parse_ops

from millstream.domain.acceptance import WINDOW_MS
from millstream.domain.errors import Halt
from millstream.domain.events import TYPE_INDEX, EventType
from millstream.domain.identity import event_digest
from millstream.features import covisitation, popularity
from millstream.features.forward_decay import log_add
from millstream.features.purchase_count import PURCHASE_COUNT
from millstream.features.sign_ins import SIGN_INS
from millstream.features.state import PROGRAM, ShopperState
from millstream.features.type_counts import TYPE_COUNTS
from millstream.local.chaos.mutants import MUTATIONS, SOURCE, mutant
from millstream.local.chaos.schedules import Schedule
from millstream.local.valkey import Valkey
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.stores import item_totals
from millstream.stores.affinities import ROW, AffinityStore
from millstream.stores.calls import RedisRefused, fcall
from millstream.stores.feature_store import FeatureStore, SlotCall, SlotReply, Status
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.ops import BAD_RECORD, LATE_RECORD, Beside, event_op, hole_op, record_op
from millstream.stores.redis import connect
from millstream.stores.shopper_values import fields_of, ids_of
from millstream.stores.tenant_ledger import FATES, TenantLedger

SCHEDULES = 200
ENOUGH_FOR_A_MUTANT = 60
FIELD = f"0:{TOPIC}:0"
PARTITION = (TOPIC, 0)
NOON_S = NOON_MS // 1000
SHOPPER = ("default", "ann")
ITEM_NUMBERS = {"a": 1, "b": 2, "b|c:d": 3}
PURCHASE = TYPE_INDEX[EventType.PURCHASE]
ERASE = TYPE_INDEX[EventType.ERASE]


def purchase(
    offset: int,
    event_id: str,
    *items: str,
    at_ms: int = NOON_MS,
    log_ms: int = 0,
    kind: int = PURCHASE,
    letter: tuple[int, str] | None = None,
) -> bytes:
    numbered = [(ITEM_NUMBERS[item], item.encode()) for item in items]
    place, event = (offset, log_ms or at_ms), (at_ms, event_digest(event_id))
    return event_op(place, kind, (0, 0), event, numbered, Beside(letter))


def erase(offset: int, event_id: str, at_ms: int, log_ms: int = 0) -> bytes:
    return purchase(offset, event_id, at_ms=at_ms, log_ms=log_ms, kind=ERASE)


def bad(offset: int) -> bytes:
    return record_op(BAD_RECORD, offset)


def call(start: int, to: int, *ops: bytes, clock_ms: int = NOON_MS) -> SlotCall:
    return SlotCall(
        slot=0,
        source=PARTITION,
        start=start,
        to=to,
        clock_ms=clock_ms,
        witness=f"{to - 1}:0",
        tenants=["default"],
        shoppers=[SHOPPER],
        ops=b"".join(ops),
    )


async def apply(store: FeatureStore, *calls: SlotCall) -> SlotReply:
    """The reply to the last of `calls`, made one after the other."""
    replies = [(await store.apply([one]))[0] for one in calls]
    return replies[-1]


def slot_keys(keys: Keys) -> list[str]:
    names = [keys.fences(0), keys.clocks(0), keys.erased(0), keys.dirty(0)]
    return [*names, keys.owed(0), keys.replayed(0), keys.never_written(0)]


async def held_value(redis: Redis, keys: Keys) -> bytes:
    """Of ann; what the function wrote."""
    found = await redis.get(keys.shopper(0, *SHOPPER))
    assert isinstance(found, bytes)
    return found


async def everything(redis: Redis, keys: Keys) -> dict[bytes, bytes | None]:
    names = sorted([name async for name in redis.scan_iter(f"{keys.prefix}*")])
    return {name: await redis.dump(name) for name in names}


def counts(packed: bytes) -> dict[EventType, int]:
    return ShopperState(packed).read(TYPE_COUNTS, NOON_MS)


# ---------------------------------------------------------------- schedules


async def test_every_schedule_of_faults_ends_in_the_exact_counts(redis: Redis, prefix: str) -> None:
    faults: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        schedule = Schedule(redis, Keys(f"{prefix}{seed}."), seed)
        await schedule.run()
        assert not await schedule.problems(), f"seed {seed}"
        await schedule.forget()
        faults += schedule.store.faults
    for fault in ("before", "after", "between", "late call", "repeated", "rollback"):
        assert faults[fault] >= SCHEDULES // 2, f"the schedules hardly have {fault!r}: {faults}"


@pytest.fixture(scope="module")
def victim() -> Any:
    """A server of its own: a library is one per server."""
    with Valkey() as server:
        yield server


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_library_without_one_of_its_rules_is_found_out(victim: Valkey, name: str) -> None:
    client = connect(victim.url)
    try:
        await client.function_load(mutant(name), replace=True)
        for seed in range(ENOUGH_FOR_A_MUTANT):
            schedule = Schedule(client, Keys(f"{name}{seed}."), seed)
            await schedule.run()
            if await schedule.problems():
                return
    finally:
        await client.aclose()
    pytest.fail(f"{ENOUGH_FOR_A_MUTANT} schedules are exact for a library with {name}")


# ---------------------------------------------------------------- ranges and fences


async def test_a_range_past_the_fence_is_refused_and_writes_nothing(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    await apply(store, call(0, 5, purchase(3, "e1", "a")))
    before = await everything(redis, keys)
    reply = await apply(store, call(6, 9, purchase(7, "e2", "a")))
    assert (reply.status, reply.fence) == (Status.GAP, 5)
    assert await everything(redis, keys) == before


async def test_a_range_applied_before_answers_with_the_states_and_writes_nothing(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    first = await apply(store, call(0, 5, purchase(3, "e1", "a")))
    before = await everything(redis, keys)
    again = await apply(store, call(0, 5, purchase(3, "e1", "a")))
    assert (again.status, again.fence, again.verdicts) == (Status.STALE, 5, "")
    assert again.states == first.states
    assert counts(again.states[0]) == {EventType.PURCHASE: 1}
    assert await everything(redis, keys) == before


async def test_of_an_overlapping_range_only_what_is_new_counts(store: FeatureStore) -> None:
    first, second = purchase(3, "e1", "a"), purchase(6, "e2", "a")
    reply = await apply(store, call(0, 5, first), call(2, 8, first, second))
    assert (reply.status, reply.fence, reply.verdicts) == (Status.OK, 8, "-a")
    assert counts(reply.states[0]) == {EventType.PURCHASE: 2}


async def test_an_empty_range_moves_the_fence_and_the_clock(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    reply = await apply(store, call(0, 0), call(0, 70, clock_ms=NOON_MS + 5))
    assert (reply.status, reply.fence) == (Status.OK, 70)
    assert await redis.hget(keys.clocks(0), FIELD) == b"%d" % (NOON_MS + 5)
    await apply(store, call(70, 71, clock_ms=NOON_MS))
    assert await redis.hget(keys.clocks(0), FIELD) == b"%d" % (NOON_MS + 5)


async def test_another_epoch_is_refused_and_told(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    await redis.hset(keys.fences(0), "epoch", "3")
    before = await everything(redis, keys)
    (reply,) = await store.apply([call(0, 5, purchase(3, "e1", "a"))], epoch="2")
    assert (reply.status, reply.fence) == (Status.EPOCH, 3)
    assert await everything(redis, keys) == before
    (reply,) = await store.apply([call(0, 5, purchase(3, "e1", "a"))], epoch="3")
    assert reply.status is Status.OK


TOO_BIG = 2**53


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (call(5, 4), "from is past to"),
        (replace(call(0, 5), start=-1), "from"),
        (replace(call(0, 5), to=TOO_BIG), "to"),
        (call(TOO_BIG, TOO_BIG + 1), "from"),
        (replace(call(0, 5), clock_ms=-1), "clock"),
        (replace(call(0, 5), clock_ms=TOO_BIG), "clock"),
        (call(0, 5, purchase(1, "e1", "a"), purchase(5, "e2", "a")), "bounds"),
        (call(1, 5, purchase(2, "e1", "a"), purchase(1, "e2", "a")), "bounds"),
        (call(1, 5, purchase(2, "e1", "a"), purchase(2, "e2", "a")), "bounds"),
        (call(0, 5, bad(7)), "bounds"),
        (call(0, 5, purchase(1, "e1", "a", kind=11)), "bounds"),
        (call(0, 5, record_op(-4, 1)), "bounds"),
        (replace(call(0, 5, purchase(1, "e1", "a")), shoppers=[]), "keys"),
        (replace(call(0, 5, purchase(1, "e1", "a")), tenants=[]), "keys"),
    ],
)
async def test_an_argument_out_of_its_bounds_writes_nothing(
    redis: Redis, keys: Keys, store: FeatureStore, wrong: SlotCall, told: str
) -> None:
    await apply(store, call(0, 1, purchase(0, "e0", "a")))
    before = await everything(redis, keys)
    with pytest.raises(RedisRefused, match=f"BADARG .*{told}"):
        await store.apply([wrong])
    assert await everything(redis, keys) == before


async def test_keys_that_do_not_fit_the_shoppers_are_refused(redis: Redis, keys: Keys) -> None:
    names = [*slot_keys(keys), keys.shopper(0, *SHOPPER)]
    pack = msgspec.msgpack.encode
    head: list[bytes | str | int] = [FIELD, "0", 0, 1, 0, "", pack([WINDOW_MS, 9, 1])]
    with pytest.raises(RedisRefused, match="BADARG the keys"):
        await fcall(redis, "recs_apply_v1", names, [*head, PROGRAM, pack([]), 9, b""])
    assert await everything(redis, keys) == {}


async def test_offsets_and_times_beyond_a_billion_stay_integers(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    far = TOO_BIG - 10
    await redis.hset(keys.fences(0), f"t:{FIELD}", str(far))
    reply = await apply(store, call(far, far + 5, purchase(far + 1, "e1", "a")))
    assert reply.fence == far + 5
    assert await redis.hget(keys.fences(0), f"t:{FIELD}") == b"%d" % (far + 5)
    assert ids_of(await held_value(redis, keys)) == {event_digest("e1"): NOON_S}


async def test_a_server_without_the_library_is_told() -> None:
    with Valkey() as bare:
        client = connect(bare.url)
        try:
            with pytest.raises(Halt, match="millstream init"):
                await FeatureStore(client, Keys("x"), 1, 1).apply([call(0, 1)])
            with pytest.raises(Halt, match="millstream init"):
                await fcall(client, "recs_apply_v1", [], [])
        finally:
            await client.aclose()


# ---------------------------------------------------------------- verdicts


async def test_each_record_gets_one_verdict_and_one_place_in_the_ledger(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    reply = await apply(
        store,
        call(
            0,
            7,
            purchase(0, "e1", "a", "b", "a"),
            purchase(1, "e1", "a", "b", "a"),
            bad(2),
            record_op(LATE_RECORD, 3),
            erase(4, "x1", NOON_MS + 9),
            purchase(5, "e2", "a", at_ms=NOON_MS, log_ms=NOON_MS + 20),
            purchase(6, "e3", "a", at_ms=NOON_MS + 30),
        ),
    )
    assert reply.verdicts == "adblaea"
    assert counts(reply.states[0]) == {EventType.PURCHASE: 1}
    assert await store.ledger() == {
        "acc": 3, "dup": 1, "late": 1, "era": 1, "over": 0, "bad": 1, "hol": 0, "itm": 4
    }  # fmt: skip
    partials = await redis.hgetall(keys.item_partials(0, "default"))
    assert partials == {b"%d|a" % PURCHASE: b"3", b"%d|b" % PURCHASE: b"1"}
    dirty = await redis.smembers(keys.dirty(0))
    assert dirty == {b"%d|default:a" % PURCHASE, b"%d|default:b" % PURCHASE}


async def test_each_tenant_has_a_ledger_of_its_own(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    """Of a tenant of which the call has no shopper too; the second call repeats the first one."""
    other_kind = event_op((1, NOON_MS), PURCHASE, (1, 1), (NOON_MS, event_digest("e1")), [])
    ops = [
        purchase(0, "e1", "a"),
        other_kind,
        purchase(2, "e1", "a"),
        record_op(LATE_RECORD, 3, 1),
        record_op(BAD_RECORD, 4, 2),
        record_op(BAD_RECORD, 5),
        purchase(6, "e2", "a"),
        record_op(BAD_RECORD, 7, 40),
        hole_op(8, 9),
    ]
    tenants = ["default", "shop-2", "shop-3"]
    shoppers = [SHOPPER, ("shop-2", "ann")]
    both = replace(call(0, 17, *ops), tenants=tenants, shoppers=shoppers)
    reply = await apply(store, both, replace(both, to=18))
    assert reply.verdicts == "-" * 9
    ledger = TenantLedger(redis, keys, 1)
    nothing = dict.fromkeys(FATES, 0)
    assert await ledger.of("default") == nothing | {"acc": 2, "dup": 1}
    assert await ledger.of("shop-2") == nothing | {"acc": 1, "late": 1}
    assert await ledger.of("shop-3") == nothing | {"bad": 1}
    assert await ledger.of("shop") == nothing
    assert await store.ledger() == {
        "acc": 3, "dup": 1, "late": 1, "era": 0, "over": 0, "bad": 3, "hol": 9, "itm": 2
    }  # fmt: skip


async def test_a_call_may_be_of_more_tenants_than_a_byte_counts(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    names = [f"shop-{n}" for n in range(600)]
    letter = (NOON_MS, f"{TOPIC}:0:9")
    ops = [
        event_op(
            (n, NOON_MS),
            PURCHASE,
            (n, n),
            (NOON_MS, event_digest("e1")),
            [(ITEM_NUMBERS["a"], b"a")],
            Beside(letter if n % 2 else None, "v" if n % 3 else None),
        )
        for n in range(len(names))
    ]
    ops.append(record_op(BAD_RECORD, len(names), 555))
    every = call(0, len(ops), *ops)
    reply = await apply(
        store, replace(every, tenants=names, shoppers=[(name, "ann") for name in names])
    )
    # Of the copies of one letter the first is taken.
    assert reply.verdicts == "aa" + "ad" * 299 + "b"
    assert parsed_tenants(ops[:-1]) == list(range(600))
    ledger = TenantLedger(redis, keys, 1)
    assert (await ledger.of("shop-256"))["acc"] == 1
    assert (await ledger.of("shop-257"))["dup"] == 1
    assert (await ledger.of("shop-555")) == dict.fromkeys(FATES, 0) | {"dup": 1, "bad": 1}
    assert await redis.hgetall(keys.item_partials(0, "shop-598")) == {b"%d|a" % PURCHASE: b"1"}
    linked = [bool(ShopperState(packed).read(SIGN_INS, 0)) for packed in reply.states]
    assert linked == [verdict == "a" and n % 3 > 0 for n, verdict in enumerate(reply.verdicts[:-1])]


def parsed_tenants(ops: Sequence[bytes]) -> list[int]:
    """As stores in memory read them."""
    return [op.tenant for op in parse_ops(b"".join(ops))]


async def test_what_an_older_worker_says_of_a_letter_names_nobody(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    """Where the tenant's place stands now, it wrote the log time."""
    reply = await apply(store, call(0, 1, record_op(BAD_RECORD, 0, NOON_MS - 1)))
    assert reply.verdicts == "b"
    assert await TenantLedger(redis, keys, 1).of("default") == dict.fromkeys(FATES, 0)
    assert (await store.ledger())["bad"] == 1


async def test_an_erase_from_a_clock_ahead_of_the_log_is_counted_once(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    """Its retry is younger than the mark in both times, and must not erase what came between."""
    ahead = NOON_MS + 60_000

    reply = await apply(
        store,
        call(0, 1, purchase(0, "e1", "a")),
        call(
            1,
            4,
            erase(1, "x1", ahead, NOON_MS + 1),
            purchase(2, "e2", "a", at_ms=ahead),
            erase(3, "x1", ahead, NOON_MS + 9),
        ),
    )
    assert reply.verdicts == "aad"
    assert counts(reply.states[0]) == {EventType.PURCHASE: 1}
    assert await redis.hget(keys.erased(0), "default:ann") == b"%d" % (NOON_MS + 1)


async def test_an_erased_shopper_has_no_state(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    erased = call(5, 6, erase(5, "x1", NOON_MS + 9))
    reply = await apply(store, call(0, 5, purchase(0, "e1", "a")), erased)
    assert reply.states == [b""]
    assert not await redis.exists(keys.shopper(0, *SHOPPER), keys.event_ids(0, *SHOPPER))
    again = await apply(store, call(6, 7, erase(6, "x1", NOON_MS + 9, NOON_MS + 20)))
    assert again.verdicts == "e"


async def test_an_erase_from_a_clock_ahead_leaves_its_own_id_alone(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    erased = call(5, 6, erase(5, "x1", NOON_MS + 60_000, NOON_MS))
    await apply(store, call(0, 5, purchase(0, "e1", "a")), erased)
    held = await held_value(redis, keys)
    assert fields_of(held) == b""
    assert list(ids_of(held)) == [event_digest("x1")]


async def test_a_full_window_refuses_instead_of_forgetting(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    """With room for two ids, by the bare function."""
    names = [*slot_keys(keys), keys.item_partials(0, "default")]
    names += [keys.shopper(0, *SHOPPER), keys.event_ids(0, *SHOPPER)]
    pack = msgspec.msgpack.encode

    async def put(start: int, *ops: bytes, clock_ms: int = NOON_MS) -> list[bytes]:
        head: list[bytes | str | int] = [
            FIELD,
            "0",
            start,
            start + len(ops),
            clock_ms,
            "",
            pack([WINDOW_MS, 2, 1]),
        ]
        before = len(keys.shopper(0, "", "")) - 1
        tail: list[bytes | str | int] = [PROGRAM, pack(["default"]), before, b"".join(ops)]
        return list(await fcall(redis, "recs_apply_v1", names, [*head, *tail]))

    first = [purchase(n, f"e{n}", "a", at_ms=NOON_MS) for n in range(3)]
    assert (await put(0, *first))[2] == b"aao"
    assert (await put(3, purchase(3, "e0", "a"), purchase(4, "e9", "a")))[2] == b"do"
    state = await store.shopper(*SHOPPER)
    assert state.read(PURCHASE_COUNT, NOON_MS) == 2
    # The window passes on: the ids leave it, and there is room again.
    later = NOON_MS + WINDOW_MS + 1
    assert (await put(5, bad(5), clock_ms=later))[2] == b"b"
    assert (await put(6, purchase(6, "e10", "a", at_ms=later)))[2] == b"a"
    assert list(ids_of(await held_value(redis, keys))) == [event_digest("e10")]
    assert await redis.smembers(keys.owed(0)) == {f"{TOPIC}:0:2".encode(), f"{TOPIC}:0:4".encode()}


@pytest.mark.parametrize(("beyond", "held"), [(0, True), (1_000, False)])
async def test_ids_stay_to_the_edge_of_the_window(
    redis: Redis, keys: Keys, store: FeatureStore, beyond: int, held: bool
) -> None:
    edge = NOON_MS + WINDOW_MS + beyond
    await apply(
        store,
        call(0, 1, purchase(0, "old", "a")),
        call(1, 2, clock_ms=edge),
        call(2, 3, purchase(2, "new", "a", at_ms=edge), clock_ms=edge),
    )
    ids = ids_of(await held_value(redis, keys))
    assert (event_digest("old") in ids) is held


async def test_nothing_is_pruned_before_every_partition_has_a_clock(
    redis: Redis, keys: Keys
) -> None:
    store = FeatureStore(redis, keys, slots=1, partitions=2)
    far = NOON_MS + 9 * WINDOW_MS
    await apply(
        store,
        call(0, 1, purchase(0, "old", "a")),
        call(1, 2, clock_ms=far),
        call(2, 3, purchase(2, "new", "a", at_ms=far), clock_ms=far),
    )
    assert len(ids_of(await held_value(redis, keys))) == 2


# ---------------------------------------------------------------- item totals


async def test_totals_are_the_sums_over_the_slots_however_often_they_are_swept(
    redis: Redis, keys: Keys
) -> None:
    store, totals = FeatureStore(redis, keys, slots=3, partitions=1), ItemTotals(redis, keys, 3)
    await AffinityStore(redis, keys, 3, ItemNumbers(redis, keys)).note_tenants(["default"])
    ops = [purchase(n, f"e{n}", "a", "a", "b|c:d") for n in range(5)]
    for slot in range(3):
        await store.apply([replace(call(0, 5, *ops), slot=slot)])
    assert (await store.item("default", "a")).purchase_count == 0
    while await totals.sweep_dirty():
        pass
    for _ in range(2):
        assert (await store.item("default", "a")).by_type == {EventType.PURCHASE: 30}
        assert (await store.item("default", "b|c:d")).purchase_count == 15
        assert await totals.sweep_dirty() == 0
        assert await totals.sweep_all() == 2


async def test_what_a_sweep_that_died_had_taken_the_next_one_sums(
    redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, totals = FeatureStore(redis, keys, slots=2, partitions=1), ItemTotals(redis, keys, 2)
    for slot in range(2):
        await store.apply([replace(call(0, 1, purchase(0, "e1", "a")), slot=slot)])

    async def dies(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(totals, "_sum_tenant", dies)
        with pytest.raises(ConnectionError):
            await totals.sweep_dirty()
    assert (await store.item("default", "a")).purchase_count == 0
    assert await totals.sweep_dirty() == 1
    assert (await store.item("default", "a")).purchase_count == 2
    assert await totals.sweep_dirty() == 0


async def test_a_full_sweep_needs_no_notes(redis: Redis, keys: Keys) -> None:
    store, totals = FeatureStore(redis, keys, slots=1, partitions=1), ItemTotals(redis, keys, 1)
    await AffinityStore(redis, keys, 1, ItemNumbers(redis, keys)).note_tenants(["default"])
    await apply(store, call(0, 1, purchase(0, "e1", "a")))
    await redis.delete(keys.dirty(0))
    await totals.sweep_all()
    assert (await store.item("default", "a")).purchase_count == 1


async def test_more_dirty_counts_than_one_sweep_takes_are_left_to_the_next(
    redis: Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_totals, "TAKEN", 2)
    store, totals = FeatureStore(redis, keys, slots=1, partitions=1), ItemTotals(redis, keys, 1)
    await apply(store, call(0, 1, purchase(0, "e1", "a", "b", "b|c:d")))
    assert [await totals.sweep_dirty() for _ in range(3)] == [2, 1, 0]


# ---------------------------------------------------------------- derived item state


def test_names_carry_the_contract_version() -> None:
    registered = re.findall(r"redis.register_function\('(\w+)'", SOURCE)
    assert registered
    assert all(re.fullmatch(r"recs_[a-z]+_v\d+", name) for name in registered)


async def test_co_visitation_and_popularity_are_the_sums_of_the_replayed_shop(
    redis: Redis, keys: Keys
) -> None:
    """Gathered in random parts, as workers flush them."""
    rng = random.Random(7)
    kinds = (EventType.VIEW_ITEM, EventType.ADD_TO_CART, EventType.PURCHASE)
    events = [
        event(
            f"e{n}",
            f"u{rng.randrange(4)}",
            *rng.choices("abcdefgh", k=1 if kind is EventType.VIEW_ITEM else 3),
            kind=kind,
            at_ms=NOON_MS + n * 3_600_000,
        )
        for n in range(120)
        for kind in [rng.choice(kinds)]
    ]
    numbers = ItemNumbers(redis, keys)
    await numbers.learn("default", "abcdefgh")
    shop, store = ReplayedShop(), AffinityStore(redis, keys, 4, numbers)
    pairs: dict[str, dict[str, float]] = {}
    popular: dict[str, float] = {}
    for one in events:
        for item, other, weight in covisitation.writes(
            one, shop.shopper("default", one.shopper, one.time_ms).recent
        ):
            _add(pairs.setdefault(item, {}), other, weight)
        for item, weight in popularity.writes(one):
            _add(popular, item, weight)
        shop.learn(one)
        if rng.random() < 0.1:
            await add_near(store, "default", near_of(pairs, numbers))
            await store.add_popular("default", popular)
            pairs, popular = {}, {}
    await add_near(store, "default", near_of(pairs, numbers))
    if popular:
        await store.add_popular("default", popular)
    _same_weights(await store.popular("default", 100), shop.popular())
    found = await store.neighbours("default", "abcdefgh")
    for item in "abcdefgh":
        due = shop.shares(item)
        assert dict(zip(*found[item], strict=True)) == pytest.approx(dict(zip(*due, strict=True)))
        assert sorted(found[item].parts, reverse=True) == found[item].parts.tolist()


def _add(sums: dict[str, float], key: str, weight: float) -> None:
    sums[key] = log_add(sums[key], weight) if key in sums else weight


def _same_weights(found: Sequence[tuple[str, float]], due: Sequence[tuple[str, float]]) -> None:
    assert [name for name, _ in found] == [name for name, _ in due]
    for (_, weight), (_, expected) in zip(found, due, strict=True):
        assert math.isclose(weight, expected, rel_tol=1e-12)


async def test_lists_of_neighbours_are_bounded_to_the_heaviest(redis: Redis, keys: Keys) -> None:
    numbers = ItemNumbers(redis, keys)
    store = AffinityStore(redis, keys, 1, numbers)
    many = {f"n{n:03}": float(n) for n in range(covisitation.BOUND + 30)}
    await numbers.learn("default", ["a", "new", *many])
    await add_near(store, "default", near_of({"a": many}, numbers))
    await add_near(store, "default", near_of({"a": {"new": 1000.0, "n000": 0.0}}, numbers))
    (weighted,) = (await store.neighbours("default", ["a"])).values()
    heaviest = sorted(many, key=lambda name: -many[name])
    assert weighted.items == ["new", *heaviest[: covisitation.LEADING - 1]]
    rows = await redis.strlen(keys.neighbours(0, "default", "a"))
    assert rows == covisitation.BOUND * ROW.itemsize


async def test_neighbours_of_another_worker_have_their_names(redis: Redis, keys: Keys) -> None:
    theirs, ours = ItemNumbers(redis, keys), ItemNumbers(redis, keys)
    await theirs.learn("default", ["a", "b"])
    near = near_of({"a": {"b": 1.0}}, theirs)
    await add_near(AffinityStore(redis, keys, 1, theirs), "default", near)
    assert AffinityStore(redis, keys, 1, ours).neighbour_writes("default", near) == []
    found = await AffinityStore(redis, keys, 1, ours).neighbours("default", ["a", "none"])
    assert [list(shares.items) for shares in found.values()] == [["b"], []]
    await redis.delete(keys.item_numbers("default"))
    lost = await AffinityStore(redis, keys, 1, ItemNumbers(redis, keys)).neighbours("default", "a")
    assert list(lost["a"].items) == []


async def test_the_popular_are_bounded_to_the_heaviest(redis: Redis, keys: Keys) -> None:
    pack = msgspec.msgpack.encode
    for added in (["a", 1.0, "b", 3.0, "c", 2.0], ["a", 1.0]):
        await fcall(redis, "recs_popular_v1", [keys.popular("t")], [2, pack(added)])
    held = await redis.zrange(keys.popular("t"), 0, -1, withscores=True)
    # `a` left when it was the lightest of three, and comes back too light.
    assert held == [(b"c", 2.0), (b"b", 3.0)]


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (1e9, 1e9 - 3), (-50.0, 800.0), (3.5, 3.25)])
async def test_redis_and_python_add_logarithms_alike(
    redis: Redis, keys: Keys, a: float, b: float
) -> None:
    store = AffinityStore(redis, keys, 1, ItemNumbers(redis, keys))
    for weight in (a, b):
        await store.add_popular("default", {"item": weight})
    ((_, weight),) = await store.popular("default", 1)
    assert math.isclose(weight, log_add(a, b), rel_tol=1e-15)
