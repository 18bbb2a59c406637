"""On whatever the decoder takes a version can be trained, with anything beside it in the lake; a
file that can't be read ends the trainer with its name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import event
from tests.effort import tries
from tests.training.conftest import DAY_MS, START
from tests.training.outlets import EMBEDDING, Pointer, Producer, outlet_in

from millstream.domain.events import (
    ITEMS_ALLOWED,
    MAX_ID_CHARS,
    MAX_ITEMS,
    Event,
    EventType,
    Line,
)
from millstream.domain.log import LogRecord
from millstream.model.signed_files import Identity
from millstream.model.signing import create_keys
from millstream.ranking.settings import RankingSettings
from millstream.stores.lake import LakeDamaged, LakeWriter, Range
from millstream.stores.lake.ranges import partition_dir
from millstream.streaming.topics import EVENTS
from millstream.trainer.collect import collect
from millstream.trainer.encode import Interactions, NothingToTrainOn
from millstream.trainer.fitting import Fit, Fitted
from millstream.trainer.pipeline import train_version
from millstream.trainer.service import serve
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Trigger
from millstream.trainer.turn import turn
from millstream.trainer.whole_list import RankedLists
from millstream.trainer.wiring import StoredLake

YEAR_2100 = 4_102_444_800_000
YEAR_10000 = 253_402_300_800_000

Stored = tuple[int, bytes | None]
"""Log time (ms) and value."""

IDS = st.sampled_from(
    ["a", "b", " ", "é" * MAX_ID_CHARS, "..", "NaN", "null", '"\\', "\U0001f600", "s1", "tea-1"]
)
LINE = st.builds(
    Line,
    item_id=IDS,
    quantity=st.sampled_from([0, 1, 10**9]),
    price=st.sampled_from([None, 0.0, -0.0, 5e-324, 1e12]),
    index=st.sampled_from([None, 0, 10**6]),
)
CONTEXTS = st.sampled_from([{}, {"country": "GB"}, {"country": "\x00"}, {"x": 1e308, "y": None}])
TIMES = st.sampled_from([0, START, START + 9 * DAY_MS, YEAR_2100, YEAR_10000 - 1])
NO_EVENTS = st.sampled_from(
    [None, b"", b"{", b"\xff\xfe", b"[]", b'{"event_id":"\\ud800"}', b"[" * 9999, b" " * 70_000]
)


@st.composite
def odd_events(draw: st.DrawFn) -> Stored:
    kind, at_ms = draw(st.sampled_from(EventType)), draw(TIMES)
    fewest, most = ITEMS_ALLOWED[kind]
    lines = draw(st.lists(LINE, min_size=min(fewest, 1), max_size=min(most, 3)))
    if most == MAX_ITEMS and draw(st.booleans()):
        lines = (lines * MAX_ITEMS)[:MAX_ITEMS]
    user, anonymous = draw(st.permutations([draw(IDS), None]))
    made = event(
        draw(IDS),
        user,
        kind=kind,
        at_ms=at_ms,
        anonymous_id=anonymous,
        query="\x00",
        context=draw(CONTEXTS),
    )
    value = msgspec.json.encode(msgspec.structs.replace(made, items=tuple(lines)))
    return at_ms + draw(st.sampled_from([0, 5, DAY_MS])), value


ODD = st.lists(odd_events() | st.tuples(st.sampled_from([-1, 0, START]), NO_EVENTS), max_size=12)


def plain() -> list[Stored]:
    """Ten days of twelve shoppers, two tastes."""
    rng, made = np.random.default_rng(3), list[Stored]()
    for day in range(10):
        for shopper in range(12):
            at_ms = START + day * DAY_MS + shopper * 60_000
            taste = ("tea", "tool")[shopper % 2]
            items = [f"{taste}-{thing}" for thing in rng.choice(6, size=2, replace=False)]
            what = event(f"{day}", f"s{shopper}", *items, kind=EventType.PURCHASE, at_ms=at_ms)
            made.append((at_ms + 5, msgspec.json.encode(what)))
    return made


PLAIN = plain()


def stored(root: Path, values: Sequence[Stored], chosen: TrainerSettings) -> StoredLake:
    placed = chosen.model_copy(update={"lake_dir": root / "lake", "keys_dir": root / "keys"})
    create_keys(placed.keys_dir)
    topic = placed.topic(EVENTS)
    records = [
        LogRecord(topic, 0, offset, log_ms, None, value)
        for offset, (log_ms, value) in enumerate(values)
    ]
    with LakeWriter(placed.lake_dir) as lake:
        lake.write(topic, 0, Range(0, len(records)), records)
    return StoredLake(placed)


def tools_in(root: Path, fit: Fit) -> Tools:
    pointer = Pointer()
    return Tools(
        settings=TrainerSettings(
            dimensions=4, recent_items=4, min_user_lines=1, min_item_lines=1, poll_s=0.01
        ),
        fit=fit,
        whole_lists=RankedLists("default", RankingSettings(), dict),
        hidden=frozenset,
        outlet=outlet_in(root, EMBEDDING, pointer, Producer(pointer)),
        clock=lambda: YEAR_2100,
        stop=lambda: False,
    )


async def assert_trains(root: Path, values: Sequence[Stored], fit: Fit) -> None:
    """Two versions, the second beside the first; or it is said that there is nothing."""
    tools = tools_in(root, fit)
    window = collect(stored(root, values, tools.settings), None).window
    for _ in range(2):
        try:
            said = await train_version(window, tools)
        except NothingToTrainOn:
            return
        assert "not finite" not in said.verdict
        assert np.isfinite(list(said.metrics.values())).all()
        wanted = Identity("default", "embedding", said.version, said.manifest_sha256)
        tools.outlet.registry.load(tools.outlet.public_key, wanted)


@settings(max_examples=tries(30))
@given(odd=ODD)
def test_odd_events_among_plain_ones(
    factorise: Fit, tmp_path_factory: pytest.TempPathFactory, odd: list[Stored]
) -> None:
    asyncio.run(assert_trains(tmp_path_factory.mktemp("odd"), [*PLAIN, *odd], factorise))


@given(odd=ODD.filter(bool))
def test_odd_events_alone(
    factorise: Fit, tmp_path_factory: pytest.TempPathFactory, odd: list[Stored]
) -> None:
    asyncio.run(assert_trains(tmp_path_factory.mktemp("odd"), odd, factorise))


async def test_a_time_beyond_the_last_year_in_utc(tmp_path: Path, factorise: Fit) -> None:
    late = [
        msgspec.json.encode(event(f"{n}", "s1", "tea-1")).replace(
            b"2026-09-21T14:13:20Z", b"9999-12-31T23:%02d:00-12:00" % n
        )
        for n in range(60)
    ]
    odd = [(YEAR_10000 + DAY_MS // 2, value) for value in late]
    assert {msgspec.json.decode(value, type=Event).time_ms >= YEAR_10000 for value in late} == {
        True
    }
    # Some of them before the test part, from which the shop is made.
    await assert_trains(tmp_path, [*PLAIN[:40], *odd], factorise)


def test_shoppers_who_use_the_same_event_ids_keep_what_is_theirs() -> None:
    """As a client does that counts its events from 1."""
    rows = [
        (f"s{shopper}", f"{visit}", "view_item", f"i{shopper}-{visit}", 1.0, START + visit * 1000)
        for visit in range(3)
        for shopper in range(4)
    ]
    rows.append(("s0", "0", "view_item", "i-later", 1.0, START + 9 * DAY_MS))
    columns = ["user", "event_id", "type", "item", "weight", "time_ms"]
    lines = pl.DataFrame(rows, columns, orient="row")
    lists = RankedLists("default", RankingSettings(), dict)
    shared = lists.standing(lines).shop
    own = lists.standing(lines.with_columns(event_id=pl.int_range(pl.len()).cast(pl.String))).shop
    now_ms = START + 10 * DAY_MS
    for shopper in range(4):
        name = f"s{shopper}"
        assert shared.shopper("default", name, now_ms) == own.shopper("default", name, now_ms)
        assert shared.neighbours(f"i{shopper}-1") == own.neighbours(f"i{shopper}-1")
    assert shared.popular() == own.popular()


async def test_an_error_of_the_training_is_not_held_for_a_lack_of_lines(
    tmp_path: Path, factorise: Fit
) -> None:
    def fails(_: Interactions, *__: object) -> Fitted:
        raise ValueError("matmul: a mismatch")

    tools = replace(tools_in(tmp_path, factorise), fit=fails)
    lake = stored(tmp_path, PLAIN, tools.settings)
    with pytest.raises(ValueError, match="a mismatch"):
        await serve(partial(turn, lake, Trigger(1, 1), tools), 1.0, asyncio.Event(), once=True)


@pytest.mark.parametrize("window_days", [None, 3.0])
async def test_a_file_that_cannot_be_read_ends_the_trainer_with_its_name(
    tmp_path: Path, factorise: Fit, window_days: float | None
) -> None:
    """To leave it out would be to learn from shoppers whose erasure it may hold."""
    tools = tools_in(tmp_path, factorise)
    windowed = tools.settings.model_copy(update={"window_days": window_days})
    lake, tools = stored(tmp_path, PLAIN, windowed), replace(tools, settings=windowed)
    topic = windowed.topic(EVENTS)
    damaged = partition_dir(lake.settings.lake_dir, topic, 0) / Range(0, len(PLAIN)).file_name
    damaged.write_bytes(damaged.read_bytes()[:-7])
    with pytest.raises(LakeDamaged, match=damaged.name):
        await serve(partial(turn, lake, Trigger(1, 1), tools), 1.0, asyncio.Event(), once=True)
    assert tools.outlet.registry.versions("default", "embedding") == []
