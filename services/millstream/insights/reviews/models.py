"""The review model in service, swapped while reviews are judged.

The pointer in Redis says which version serves; it is asked at most every LOOK_AGAIN_S seconds, when
there is something to judge. A version that can't be served leaves the old one in place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.errors import OperatorError
from millstream.insights import telemetry
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, Registry
from millstream.model.sentiment.manifest import MODEL
from millstream.model.sentiment.sentiment import Sentiment
from millstream.model.signed_files import Identity

LOOK_AGAIN_S = 2.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Serving:
    version: str
    sentiment: Sentiment


class SentimentModels:
    """Of one tenant; it judges the reviews of all: words are good or bad whichever shop they are
    written in, and a tenant without a model would hold up the others."""

    def __init__(
        self,
        tenant: str,
        registry: Registry,
        pointer: CurrentPointer,
        key: Ed25519PublicKey,
        now: Callable[[], float],
    ) -> None:
        """`now`: seconds of a clock that only rises."""
        self._tenant = tenant
        self._registry = registry
        self._pointer = pointer
        self._key = key
        self._now = now
        self._looked: float | None = None
        self._number = 0
        self._refused = 0
        self._serving: Serving | None = None

    async def serving(self) -> Serving:
        """Waits until there is one."""
        told = False
        while True:
            await self._look()
            if self._serving is not None:
                return self._serving
            if not told:
                told = True
                log.warning("reviews wait: there is no review model", tenant=self._tenant)
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _look(self) -> None:
        now = self._now()
        if self._looked is not None and now - self._looked < LOOK_AGAIN_S:
            return
        self._looked = now
        current = await self._pointer.read(self._tenant, MODEL)
        if current is None or current[0] == self._number:
            return
        wanted = Identity(self._tenant, MODEL, *current)
        try:
            loaded = await asyncio.to_thread(self._registry.load_reviews, self._key, wanted)
        except (ArtifactRefused, OperatorError) as refused:
            if self._refused != current[0]:
                self._refused = current[0]
                log.error("review model refused", tenant=self._tenant, why=str(refused))
            return
        self._number = current[0]
        self._serving = Serving(f"{MODEL}-v{current[0]}", loaded.sentiment)
        telemetry.REVIEW_MODEL_VERSION.set(current[0])
        log.info("review model in service", tenant=self._tenant, version=current[0])
