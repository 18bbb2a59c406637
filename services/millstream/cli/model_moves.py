"""`millstream models promote` and `rollback`: an operator moves the current version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import typer

from millstream.cli.model_store import verified
from millstream.cli.variables import checked
from millstream.domain.errors import OperatorError
from millstream.domain.models import Decision
from millstream.model.manifest import ArtifactRefused, ManifestHead
from millstream.model.registry import PointerHistory, Registry
from millstream.model.signed_files import Identity
from millstream.model.signing import load_public_key
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected

Version = tuple[int, str]
Move = tuple[ManifestHead, str, str]
"""The version that became current, its manifest's sha256, and why."""


def promote(
    version: int = typer.Argument(..., min=1),
    model: str = typer.Option("embedding"),
    tenant: str = typer.Option("default"),
    force: bool = typer.Option(False, help="Also one that the gate refused or held."),
) -> None:
    """Makes a version the current one, newer or older than the one that is."""
    asyncio.run(_move(checked(ConnectionSettings), tenant, model, _Promotion(version, force)))


def rollback(
    to: int | None = typer.Option(None, min=1, help="One that was current; else the last."),
    model: str = typer.Option("embedding"),
    tenant: str = typer.Option("default"),
) -> None:
    """Goes back to the version that served before the current one; workers follow at once."""
    asyncio.run(_move(checked(ConnectionSettings), tenant, model, _Rollback(to)))


@dataclass(frozen=True)
class _Place:
    """Where a model's versions and its pointer are."""

    settings: ConnectionSettings
    tenant: str
    model: str
    pointer: PointerHistory

    @property
    def name(self) -> str:
        return f"{self.tenant}/{self.model}"

    def usable(self, version: int, sha: str) -> ManifestHead:
        """Checked as a worker checks it. Raises ArtifactRefused."""
        key = load_public_key(self.settings.keys_dir)
        wanted = Identity(self.tenant, self.model, version, sha)
        return Registry(self.settings.model_store).verify(key, wanted)

    def digest(self, version: int) -> str:
        registry = Registry(self.settings.model_store)
        return registry.digest(Identity(self.tenant, self.model, version))


@dataclass(frozen=True)
class _Promotion:
    version: int
    force: bool

    async def __call__(self, place: _Place, current: Version | None) -> Move:
        manifest = verified(place.settings, Identity(place.tenant, place.model, self.version))
        sha = place.digest(self.version)
        quality = manifest.quality
        if not quality.passed and not self.force:
            raise OperatorError(
                f"version {self.version} of {place.name}",
                f"one that was not promoted ({quality.verdict})",
                "one that the gate let through",
                "With --force it serves all the same",
            )
        expected = None if current is None else current[0]
        moved = await place.pointer.choose(place.tenant, place.model, self.version, sha, expected)
        _require(moved, place)
        return manifest, sha, "promoted by an operator"


@dataclass(frozen=True)
class _Rollback:
    to: int | None

    async def __call__(self, place: _Place, current: Version | None) -> Move:
        if current is None:
            raise OperatorError(f"model {place.name}", "none in service", "one to go back from")
        manifest, sha = await self._target(place)
        moved = await place.pointer.go_back(
            place.tenant, place.model, manifest.version, sha, current[0]
        )
        _require(moved, place)
        return manifest, sha, f"rolled back from v{current[0]} by an operator"

    async def _target(self, place: _Place) -> tuple[ManifestHead, str]:
        """The newest of those before, or the one that is meant, that can still be used."""
        before = await place.pointer.before(place.tenant, place.model)
        refused = []
        for version, sha in before:
            if self.to in {None, version}:
                try:
                    return place.usable(version, sha), sha
                except ArtifactRefused as why:
                    refused.append(f"v{version}: {why.reason}")
        raise OperatorError(
            f"earlier version of {place.name}",
            "; ".join(refused) or f"{self.to or 'none'} (served before: {_named(before)})",
            "one that served before and still verifies",
            "`millstream models promote` takes any version of the store",
        )


async def _move(
    settings: ConnectionSettings, tenant: str, model: str, move: _Promotion | _Rollback
) -> None:
    """The pointer first, then the word of it, so that whoever hears finds it moved."""
    from millstream.streaming.topics import MODELS
    from millstream.trainer.announce import Outcome, announce

    async with surroundings(settings) as (pointer, producer):
        place = _Place(settings, tenant, model, pointer)
        current = await pointer.read(tenant, model)
        manifest, sha, why = await move(place, current)
        outcome = Outcome(Decision.PROMOTED, why)
        await announce(producer, settings.topic(MODELS), manifest, sha, outcome)
    typer.echo(f"v{manifest.version} of {place.name} is current: {why}.")


@asynccontextmanager
async def surroundings(settings: ConnectionSettings) -> AsyncIterator[tuple[PointerHistory, Any]]:
    """Raises OperatorError where the broker or Redis does not answer: before anything has moved."""
    from millstream.streaming.producer import producer_for
    from millstream.streaming.starting import started

    redis = await connected(settings.redis_url)
    producer = producer_for(settings, client_id="millstream-models")
    try:
        await started(producer, settings.brokers)
        yield RedisModelPointer(redis, Keys(settings.redis_prefix)), producer
    finally:
        await producer.stop()
        await redis.aclose()


def _require(moved: bool, place: _Place) -> None:
    if not moved:
        raise OperatorError(
            f"the current version of {place.name}",
            "one that somebody else moved meanwhile",
            "the one that was read",
            "Look at `millstream models list` and try again",
        )


def _named(versions: tuple[Version, ...]) -> str:
    return ", ".join(f"v{version}" for version, _ in versions) or "none"
