"""`millstream doctor`: what is wrong with a deployment, and how to mend it."""

from __future__ import annotations

import asyncio
import json as json_format
import logging
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from millstream import logs
from millstream.cli.variables import checked
from millstream.diagnosis import diagnose
from millstream.diagnosis.check import Check, Verdict
from millstream.domain.clock import wall_clock
from millstream.recommender.settings import RecommenderSettings


class Role(StrEnum):
    """Of deploy/kafka/acls.yaml."""

    OPERATOR = "operator"
    RECOMMENDER = "recommender"
    LAKE = "lake"
    TRAINER = "trainer"
    GATEWAY = "gateway"
    ATTRIBUTION = "attribution"
    INSIGHTS = "insights"
    STOREFRONT = "storefront"


STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.BAD: "bold red"}


def doctor(
    tenant: Annotated[str, typer.Option(help="Whose current model to look at.")] = "default",
    role: Annotated[Role, typer.Option(help="Of the user on Kafka.")] = Role.OPERATOR,
    replay: Annotated[bool, typer.Option(help="Set up with `init --replay`.")] = False,
    partitions: Annotated[int | None, typer.Option(min=1, help="As given to init.")] = None,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Looks at all that a deployment needs, changes nothing; exits with 1 if something is bad."""
    logs.configure("ERROR")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the table says what it would
    settings = checked(RecommenderSettings)
    looking = diagnose(
        settings,
        wall_clock,
        model=(tenant, settings.model_name),
        role=role.value,
        replay=replay,
        partitions=partitions,
    )
    with Console(stderr=True).status("Looking at broker, topics, Redis, model and clocks ..."):
        checks = asyncio.run(looking)
    told = result(checks)
    if json:
        sys.stdout.write(json_format.dumps(told) + "\n")
    else:
        Console().print(_table(checks))
    raise SystemExit(0 if told["ok"] else 1)


def result(checks: Sequence[Check]) -> dict[str, Any]:
    """`ok` is 1 or 0."""
    bad = any(check.verdict is Verdict.BAD for check in checks)
    return {"checks": [msgspec.to_builtins(check) for check in checks], "ok": int(not bad)}


def _table(checks: Sequence[Check]) -> Table:
    table = Table(title="What a deployment needs", title_justify="left")
    for heading in ("check", "verdict", "found", "how to mend it"):
        table.add_column(heading)
    for check in checks:
        verdict = Text(str(check.verdict), style=STYLES[check.verdict])
        table.add_row(check.name, verdict, Text(check.found), Text(check.remedy))
    return table
