"""The versions that lists are made with: the one that serves a tenant, and beside it those that an
experiment names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.errors import OperatorError
from millstream.domain.experiments import PinnedVersion
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import LoadedModel, Registry
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity

NO_MODEL = "none"
RETRY_S = 30.0
"""A version that did not load may do so later."""


@dataclass(frozen=True, slots=True)
class Serving:
    """`version`: as it stands on lists."""

    version: str
    scorer: Scorer | None

    @classmethod
    def of(cls, loaded: LoadedModel) -> Serving:
        manifest = loaded.manifest
        return cls(f"{manifest.model}-v{manifest.version}", loaded.scorer)


NOTHING_SERVES = Serving(NO_MODEL, None)

Current = tuple[PinnedVersion, Serving]
Named = Mapping[PinnedVersion, Serving]


class Refusal(NamedTuple):
    """`is_news`: it was not refused when it was tried before."""

    version: int
    why: str
    is_news: bool


class NamedVersions:
    """`named`: of a tenant, by the experiment that runs. Each is verified and mapped as the one
    that serves is."""

    def __init__(
        self,
        model: str,
        registry: Registry,
        key: Ed25519PublicKey,
        named: Callable[[str], Collection[PinnedVersion]],
    ) -> None:
        self._model = model
        self._registry = registry
        self._key = key
        self._named = named
        self._held: dict[str, Named] = {}
        self._refused_at: dict[tuple[str, PinnedVersion], float] = {}

    def of(self, tenant: str) -> Named:
        """Those of them that loaded. Never changed, only replaced: a batch keeps what it took."""
        return self._held.get(tenant, {})

    async def refresh(self, tenant: str, current: Current | None) -> list[Refusal]:
        """Loads what is named and not held, drops what is not named any more. Returns what is
        refused each time that it is tried, which is every RETRY_S. `current` is not loaded
        twice."""
        wanted, before = set(self._named(tenant)), self.of(tenant)
        held = {one: serving for one, serving in before.items() if one in wanted}
        refused: list[Refusal] = []
        for one in wanted - held.keys():
            if current is not None and one == current[0]:
                held[one] = current[1]
            elif self._may_try(tenant, one):
                try:
                    held[one] = await self._load(tenant, one)
                    self._refused_at.pop((tenant, one), None)
                except (ArtifactRefused, OperatorError, OSError) as error:
                    is_news = (tenant, one) not in self._refused_at
                    refused.append(Refusal(one.version, str(error), is_news))
                    self._refused_at[tenant, one] = time.monotonic()
        if held.keys() != before.keys():
            self._held[tenant] = held
        return refused

    def _may_try(self, tenant: str, one: PinnedVersion) -> bool:
        at = self._refused_at.get((tenant, one))
        return at is None or time.monotonic() - at >= RETRY_S

    async def _load(self, tenant: str, one: PinnedVersion) -> Serving:
        wanted = Identity(tenant, self._model, one.version, one.manifest_sha256)
        return Serving.of(await asyncio.to_thread(self._registry.load, self._key, wanted))
