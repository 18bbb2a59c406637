"""What would become of a file of another system's events, before any is sent; pure but for the key
under which the examples' ids stand."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from millstream.client.adapters.outcome import Adapter, Faulty, Mapped, NotOurs
from millstream.client.composition import InvalidEvent, compose
from millstream.domain.acceptance import is_late
from millstream.domain.errors import Reason
from millstream.domain.events import Event
from millstream.domain.identity import event_digest
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms

LINES_NAMED = 10
MAX_WORDS = 50
"""How much of a sender's own name for an event is told."""

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Place:
    """`lines`: the numbers, from 1, of the first LINES_NAMED."""

    count: int = 0
    lines: list[int] = field(default_factory=list)

    def note(self, line: int) -> None:
        self.count += 1
        if len(self.lines) < LINES_NAMED:
            self.lines.append(line)


@dataclass(slots=True)
class Preview:
    """`late`: mapped, but so long ago that they would be refused if sent now. `repeated`: mapped,
    but with the shopper and event id of a line before, so that they count once. `examples`: the
    first of each type, its ids under a key that nobody keeps."""

    lines: int = 0
    types: Counter[str] = field(default_factory=Counter)
    late: int = 0
    repeated: int = 0
    refused: dict[tuple[str, str], Place] = field(default_factory=dict)
    not_ours: dict[str, Place] = field(default_factory=dict)
    examples: dict[str, Event] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return self.types.total() > 0 and not self.refused


def preview(lines: Iterable[bytes], adapter: Adapter, tenant: str, now_ms: int) -> Preview:
    """Judges each event at its own time, so that a recording of last year can be tried. Memory: 16
    bytes for each event."""
    return _Reading(adapter, tenant, now_ms).of(lines)


class _Reading:
    def __init__(self, adapter: Adapter, tenant: str, now_ms: int) -> None:
        self._adapter = adapter
        self._tenant = tenant
        self._now_ms = now_ms
        self._hidden = Pseudonyms(os.urandom(KEY_BYTES), tenant)
        self._seen: set[bytes] = set()
        self._found = Preview()

    def of(self, lines: Iterable[bytes]) -> Preview:
        for number, line in enumerate(lines, start=1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if text.strip():
                self._found.lines += 1
                self._read(number, text)
        return self._found

    def _read(self, number: int, line: bytes) -> None:
        try:
            record = msgspec.json.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self._refuse(number, Reason.UNDECODABLE, "not JSON")
            return
        for outcome in self._adapter(record):
            if isinstance(outcome, Mapped):
                self._judge(number, outcome)
            elif isinstance(outcome, NotOurs):
                self._found.not_ours.setdefault(_words(outcome.what), Place()).note(number)
            elif isinstance(outcome, Faulty):
                self._refuse(number, outcome.reason, outcome.detail)

    def _judge(self, number: int, mapped: Mapped) -> None:
        time = mapped.fields["time"]
        assert time is not None  # noqa: S101  no adapter leaves it out
        then_ms = min(int(time.timestamp() * 1000), self._now_ms)
        try:
            event, _ = compose(mapped.type, self._tenant, mapped.fields, then_ms)
        except InvalidEvent as invalid:
            self._refuse(number, invalid.reason, f"{mapped.type}: {invalid.detail}")
            return
        self._found.types[event.type] += 1
        self._found.late += is_late(event, self._now_ms)
        digest = event_digest(f"{event.shopper}\n{event.event_id}")
        self._found.repeated += digest in self._seen
        self._seen.add(digest)
        if event.type not in self._found.examples:
            self._found.examples[event.type] = self._hidden.event(event)

    def _refuse(self, number: int, reason: str, detail: str) -> None:
        self._found.refused.setdefault((reason, detail), Place()).note(number)


def _words(said: str) -> str:
    """Short, and without what a terminal obeys."""
    shown = "".join(char if char.isprintable() else "·" for char in said[:MAX_WORDS])
    return f"{shown}…" if len(said) > MAX_WORDS else shown
