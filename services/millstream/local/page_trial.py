"""The live page in a real browser: shopping, watching, replaying, moving models, looking at it all.

The shop is the first days of the recording; two models are trained on them, and three odd records
are sent, so that every panel has something to show."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event, EventType, Line
from millstream.domain.identity import record_key
from millstream.gateway.api_keys import Scope, create
from millstream.local import brokers, browsers
from millstream.local.beside import Page, start_page
from millstream.local.deployment import Deployment, deployed
from millstream.local.recordings import TENANT, Recording, online_retail
from millstream.local.rehearsal import rehearsing
from millstream.local.summary import above_zero
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

UNTIL = date(2010, 12, 14)
FIRST_MODEL_LINES, NEXT_MODEL_LINES = 9_000, 6_000
MODELS = 2
DRIVE_TIMEOUT_S = 240
CLICK_TO_LIST_MS = 1_000
RULE_IN_FORCE_MS = 2_000


@dataclass(frozen=True)
class PageTrial:
    """`click_to_list_ms`: the longest of three clicks. `serious_axe`: serious or critical faults
    that axe-core finds, of every panel, wide, on a phone and in dark. `rule_in_force_ms`: from a
    rule that is laid down to the shopper's list under it, None where that did not come.
    `faults`: what the browser complained of. `pictures`: of every panel."""

    click_to_list_ms: int
    reason_names_click: bool
    list_changed: bool
    searched: bool
    serious_axe: int
    event_seen: bool
    letter_replayed: bool
    promoted: bool
    rolled_back: bool
    rule_in_force_ms: int | None
    rule_undone: bool
    question_answered: bool
    question_not_known: bool
    faults: tuple[str, ...]
    too_wide: tuple[str, ...]
    pictures: int

    def failures(self) -> list[str]:
        wanted = (
            "reason_names_click",
            "list_changed",
            "searched",
            "event_seen",
            "letter_replayed",
            "promoted",
            "rolled_back",
            "rule_undone",
            "question_answered",
            "question_not_known",
        )
        found = [f"{name} is false" for name in wanted if not getattr(self, name)]
        if self.click_to_list_ms > CLICK_TO_LIST_MS:
            found.append(
                f"click_to_list_ms is {self.click_to_list_ms:,}, at most {CLICK_TO_LIST_MS:,} were"
                " promised"
            )
        took = self.rule_in_force_ms
        if took is None or took > RULE_IN_FORCE_MS:
            found.append(f"rule_in_force_ms is {took}, at most {RULE_IN_FORCE_MS:,} were promised")
        troubles = (*self.faults, *self.too_wide)
        return [*found, *above_zero(self, "serious_axe"), *troubles]


async def try_page(console: Console, pictures: Path) -> PageTrial:
    """Raises OperatorError where no browser can be driven, or a service does not come up."""
    chromium, node, modules = browsers.chromium(), browsers.node(), browsers.modules()
    with brokers.kafka() as kafka, brokers.redis() as redis:
        async with deployed(kafka, redis) as deployment:
            page = await _shop(deployment, console)
            given = {
                "address": page.address,
                "key": page.key,
                "reader_key": _reader_key(deployment),
                "chromium": chromium,
                "modules": str(modules),
                "pictures": str(pictures),
            }
            console.print("The browser looks at every panel.")
            told = await asyncio.to_thread(_drive, node, given)
    console.print(f"Pictures of every panel: {pictures}")
    return judged(told)


async def _shop(deployment: Deployment, console: Console) -> Page:
    """With its events, models and page, all served and answered."""
    recording = online_retail(UNTIL)
    await deployment.start("recommender")
    await deployment.start("lake", lake_flush_seconds=1)
    await deployment.start(
        "trainer",
        first_after_lines=FIRST_MODEL_LINES,
        every_lines=NEXT_MODEL_LINES,
        counted_types=json.dumps(recording.counted_types),
        niceness=0,
    )
    page, _ = await asyncio.gather(
        start_page(deployment, wall_clock), deployment.recommender_ready()
    )
    async with rehearsing(deployment, recording.scorer) as rehearsal:
        console.print(f"{recording.events:,} events are replayed, {MODELS} models trained.")
        stream = recording.stream()
        # Else the first model learns from all of them, and nothing is left for a second.
        await rehearsal.play(_until_sold(stream, FIRST_MODEL_LINES))
        await rehearsal.await_models(1)
        await rehearsal.play(stream)
        await rehearsal.await_models(MODELS)
        announced = rehearsal.announced
        console.print("; ".join(f"v{m.version} {m.verdict}" for m in announced))
        if len(announced) < MODELS:
            raise OperatorError("the trainer", f"{len(announced)} versions in time", f"{MODELS}")
    await _send_odd_records(deployment, recording)
    await deployment.start("attribution")
    return page


def _until_sold(
    stream: Iterator[CatalogueItem | Event], lines: int
) -> Iterator[CatalogueItem | Event]:
    """Takes from the stream until so many lines were bought."""
    for step in stream:
        yield step
        if isinstance(step, Event) and step.type is EventType.PURCHASE:
            lines -= len(step.items)
        if lines <= 0:
            return


async def _send_odd_records(deployment: Deployment, recording: Recording) -> None:
    """One late, one that came before, one that can't be read."""
    settings = deployment.settings
    last = max(step.time for step in recording.stream() if isinstance(step, Event))
    late = Event(
        event_id="trial-late",
        type=EventType.VIEW_ITEM,
        time=last - timedelta(days=3),
        items=(Line("22423"),),
        user_id="trial",
    )
    first = next(step for step in recording.stream() if isinstance(step, Event))
    in_time = msgspec.structs.replace(late, event_id=first.event_id, time=last)
    async with producer_for(settings, "millstream-trial") as producer:
        for value in (late, in_time, in_time, b'{"event_id": "trial", "type": '):
            encoded = value if isinstance(value, bytes) else msgspec.json.encode(value)
            await producer.send_and_wait(
                settings.topic(EVENTS),
                encoded,
                record_key(TENANT, "trial"),
                timestamp_ms=int(last.timestamp() * 1000),
            )


def _reader_key(deployment: Deployment) -> str:
    keys = deployment.home / "api-keys.json"
    return create(keys, TENANT, (Scope.LISTS_READ,), "a reader's", wall_clock)[1]


def _drive(node: str, given: dict[str, str]) -> dict[str, Any]:
    """The keys go by a pipe: a command line can be read by everyone on the machine."""
    driver = [node, str(browsers.DRIVER / "drive.mjs")]
    try:
        done = subprocess.run(
            driver,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=DRIVE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _broken(f"no end in {DRIVE_TIMEOUT_S} s") from None
    if done.returncode:
        raise _broken(done.stderr.strip()[-1500:])
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _broken(given: str) -> OperatorError:
    return OperatorError("the page in the browser", given, "a page that does what is asked of it")


def said(fault: dict[str, Any]) -> str:
    return f"axe: {fault['id']} in {fault['panel']} {fault['size']}: {fault['at']}"


def judged(told: dict[str, Any]) -> PageTrial:
    """From what the driver says."""
    clicked = told["clicked"]
    serious = [fault for fault in told["axe"] if fault["serious"]]
    faults = [*told["faults"], *map(said, serious)]
    counters = told["counters"]
    faults += [f"no event is counted as {fate}" for fate, n in counters.items() if not n]
    if told["key_in_address"]:
        faults.append("the key stays in the address")
    return PageTrial(
        click_to_list_ms=max(click["ms"] for click in clicked),
        reason_names_click=any(click["named"] for click in clicked),
        list_changed=all(click["changed"] for click in clicked),
        searched=told["searched"],
        serious_axe=len(serious),
        event_seen=told["event_seen"],
        letter_replayed=told["replayed"],
        promoted=told["promoted"],
        rolled_back=told["rolled_back"],
        rule_in_force_ms=told["rule_in_force_ms"],
        rule_undone=told["rule_undone"],
        question_answered=told["question_answered"],
        question_not_known=told["question_not_known"],
        faults=tuple(faults),
        too_wide=tuple(told["too_wide"]),
        pictures=len(told["pictures"]),
    )
