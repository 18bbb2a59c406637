"""`millstream dead-letters`: which records were refused, and sending them again once mended."""

from __future__ import annotations

import asyncio
import heapq
import json as json_format
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.letter_files import as_json, read_mended
from millstream.cli.variables import checked
from millstream.domain.clock import as_datetime
from millstream.domain.errors import OperatorError, Reason
from millstream.model.signing import LETTERS, known_letter_key, load_private_key
from millstream.privacy.following import load_erasures
from millstream.settings import ConnectionSettings
from millstream.streaming.producer import producer_for
from millstream.streaming.replay_letters import (
    Prepares,
    Replay,
    Replayer,
    prepare_all,
    send_all,
)
from millstream.streaming.replay_review_letters import ReviewReplayer
from millstream.streaming.starting import started
from millstream.streaming.stored_letters import (
    LettersOf,
    StoredLetter,
    Wanted,
    check_places,
    read_letters,
)
from millstream.streaming.topics import ERASURES

app = typer.Typer(no_args_is_help=True, help="Records that were refused, and sending them again.")

Reasons = Annotated[list[Reason] | None, typer.Option("--reason", help="May be given again.")]
Of = Annotated[LettersOf, typer.Option(help="What was refused.")]
Partition = Annotated[int | None, typer.Option(min=0, help="Of the topic that it was on.")]
Since = Annotated[str | None, typer.Option(help="Log time, as 2026-11-24T12:00 (UTC).")]
Until = Annotated[str | None, typer.Option(help="Log time, exclusive.")]
Tenant = Annotated[str | None, typer.Option(help="By the record's key.")]
Places = Annotated[list[str] | None, typer.Argument(help="PARTITION:OFFSET of letters.")]
Json = Annotated[bool, typer.Option(help="JSON instead of a table.")]


@app.command("list")
def list_letters(  # noqa: PLR0913  an option each
    *,
    of: Of = LettersOf.EVENTS,
    reason: Reasons = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    json: Json = False,
) -> None:
    """Which records were refused and why; neither ids nor contents."""
    wanted = _wanted(reason, partition, since, until, tenant)
    newest: list[tuple[int, int, int, StoredLetter]] = []

    def keep(letter: StoredLetter) -> None:
        row = (letter.log_ms, letter.partition, letter.offset, letter)
        push = heapq.heappush if len(newest) < limit else heapq.heappushpop
        push(newest, row)

    found = asyncio.run(_read(of, wanted, keep))
    letters = [row[-1] for row in sorted(newest)]
    if json:
        for letter in letters:
            sys.stdout.write(json_format.dumps(_row(letter)) + "\n")
        return
    table = Table("letter", "reason", "from", "log time", "bytes", "what was wrong")
    for letter in letters:
        table.add_row(*(str(cell) for cell in _row(letter).values()))
    Console().print(table)
    Console().print(f"{len(letters)} of {found} letters")


@app.command()
def show(  # noqa: PLR0913  an option each
    *,
    places: Places = None,
    of: Of = LettersOf.EVENTS,
    reason: Reasons = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    tenant: Tenant = None,
    body: Annotated[bool, typer.Option(help="Key, headers and value too: they hold ids.")] = False,
    json: Annotated[bool, typer.Option(help="One JSON object a line, to be mended.")] = False,
    most: Annotated[int, typer.Option("--max", min=1, help="More is an error.")] = 1_000,
) -> None:
    """Letters in full. `--body --json > FILE` is what `replay --from FILE` takes, once mended."""
    wanted = _wanted(reason, partition, since, until, tenant, places)
    for letter in asyncio.run(_at_most(of, wanted, most)):
        told = as_json(letter, body=body)
        indent = None if json else 2
        sys.stdout.write(json_format.dumps(told, indent=indent, ensure_ascii=False) + "\n")


@app.command()
def replay(  # noqa: PLR0913  an option each
    *,
    places: Places = None,
    of: Of = LettersOf.EVENTS,
    reason: Reasons = None,
    partition: Partition = None,
    since: Since = None,
    until: Until = None,
    tenant: Tenant = None,
    mended: Annotated[
        Path | None, typer.Option("--from", help="What `show --body --json` wrote, mended.")
    ] = None,
    accept_late: Annotated[
        bool,
        typer.Option(help="Late ones too. Only where you know that they never counted."),
    ] = False,
    most: Annotated[int, typer.Option("--max", min=1, help="More is an error.")] = 1_000,
    rate: Annotated[float, typer.Option(min=1, help="Letters a second.")] = 500.0,
    dry_run: Annotated[bool, typer.Option(help="Say what would be sent.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Sends letters to their topic again, events signed with the letters' key; each counts
    once, however often it is sent (a review by its review_id). What would be refused again is not
    sent."""
    values = read_mended(mended) if mended is not None else {}
    named = [*(places or ()), *values]
    wanted = _wanted(reason, partition, since, until, tenant, named)
    if wanted == Wanted():
        raise OperatorError(
            "which letters to replay", "none named", "places, a filter, or --from FILE"
        )
    settings = checked(ConnectionSettings)
    replayer = _replayer(settings, of, accept_late)
    letters = asyncio.run(_at_most(of, wanted, most))
    _require_found(values, letters)
    replays, not_sent = prepare_all(replayer, letters, values)
    if not dry_run and replays:
        _confirm(len(replays), accept_late, yes)
        asyncio.run(_send(settings, replays, rate))
    _tell(len(letters), 0 if dry_run else len(replays), len(replays), not_sent, json)


def _replayer(settings: ConnectionSettings, of: LettersOf, accept_late: bool) -> Prepares:
    topic = settings.topic(of.source)
    if of is LettersOf.REVIEWS and accept_late:
        raise OperatorError("--accept-late", "given with --of reviews", "no review is ever late")
    home = settings.letter_keys_dir or settings.keys_dir
    key = None
    if of is LettersOf.EVENTS:
        key = known_letter_key(home, settings.keys_dir) or load_private_key(home, LETTERS)
    erasures = asyncio.run(load_erasures(settings.brokers, settings.topic(ERASURES)))
    if key is None:
        return ReviewReplayer(topic, erasures)
    return Replayer(topic, key, accept_late, erasures)


def _row(letter: StoredLetter) -> dict[str, Any]:
    return {
        "letter": letter.place,
        "reason": letter.reason,
        "from": f"{letter.source_partition}:{letter.source_offset}",
        "log_time": _time(letter.log_ms),
        "bytes": len(letter.value or b""),
        "detail": letter.detail,
    }


def _time(log_ms: int) -> str:
    try:
        return f"{as_datetime(log_ms):%Y-%m-%dT%H:%M:%S}Z" if log_ms >= 0 else "unknown"
    except (ValueError, OverflowError):  # a producer's own clock may say anything
        return f"{log_ms} ms"


def _wanted(
    reason: list[Reason] | None,
    partition: int | None,
    since: str | None,
    until: str | None,
    tenant: str | None,
    places: Sequence[str] | None = None,
) -> Wanted:
    return Wanted(
        frozenset(reason or ()),
        check_places(places or ()),
        partition,
        _ms("--since", since),
        _ms("--until", until),
        tenant,
    )


def _ms(option: str, given: str | None) -> int | None:
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise OperatorError(option, repr(given), "a time such as 2026-11-24T12:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


async def _read(of: LettersOf, wanted: Wanted, take: Any) -> int:
    settings = checked(ConnectionSettings)
    producer = producer_for(settings, "millstream-dead-letters")
    try:  # says in one line where no broker answers
        await started(producer, settings.brokers)
    finally:
        await producer.stop()
    return await read_letters(settings.brokers, settings.topic(of.letters), wanted, take)


async def _at_most(of: LettersOf, wanted: Wanted, most: int) -> list[StoredLetter]:
    letters: list[StoredLetter] = []
    found = await _read(
        of, wanted, lambda one: letters.append(one) if len(letters) < most else None
    )
    if found > most:
        raise OperatorError(
            "dead letters", f"{found} that match", f"{most} at most", "Narrow it, or raise --max"
        )
    return letters


def _require_found(values: dict[str, bytes], letters: Sequence[StoredLetter]) -> None:
    missing = values.keys() - {letter.place for letter in letters}
    if missing:
        raise OperatorError(
            "the file of mended letters",
            f"{len(missing)} places without such a letter, {min(missing)} among them",
            "places that `millstream dead-letters list` says",
        )


def _confirm(replays: int, accept_late: bool, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperatorError("a replay", "no terminal to ask on", "--yes")
    late = ", late ones among them: those that counted before count again" if accept_late else ""
    typer.confirm(f"Send {replays} letters{late}?", abort=True)


async def _send(settings: ConnectionSettings, replays: Sequence[Replay], rate: float) -> None:
    producer = producer_for(settings, "millstream-dead-letters")
    try:
        await started(producer, settings.brokers)
        await send_all(producer, replays, rate)
    finally:
        await producer.stop()


def _tell(found: int, sent: int, fit: int, not_sent: Counter[str], as_one_line: bool) -> None:
    if as_one_line:
        told = {"found": found, "fit": fit, "sent": sent, "not_sent": dict(not_sent)}
        sys.stdout.write(json_format.dumps(told) + "\n")
        return
    typer.echo(f"{found} letters, {fit} fit to be sent, {sent} sent")
    for reason, n in sorted(not_sent.items()):
        typer.echo(f"  not sent: {n} {reason}")
