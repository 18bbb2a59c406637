"""Where a trainer's versions go: a store in a folder; in memory the pointer and the topic."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.models import ModelAnnouncement
from millstream.model.registry import PointerHistory, Registry
from millstream.trainer import announce
from millstream.trainer.outlet import Outlet

EMBEDDING, SENTIMENT = ("default", "embedding"), ("default", "sentiment")


@dataclass
class Pointer:
    """Compare-and-set. `overtaken`: by another trainer, meanwhile. `of`: tenant and model that
    alone may be asked about; None: any."""

    current: tuple[int, str] | None = None
    past: list[tuple[int, str]] = field(default_factory=list)
    overtaken: bool = False
    of: tuple[str, str] | None = None

    async def read(self, tenant: str, model: str) -> tuple[int, str] | None:
        assert self.of in {None, (tenant, model)}
        return self.current

    async def before(self, _tenant: str, _model: str) -> tuple[tuple[int, str], ...]:
        return tuple(self.past)

    async def promote(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None
    ) -> bool:
        assert self.of in {None, (tenant, model)}
        standing = None if self.current is None else self.current[0]
        if self.overtaken or standing != expected_version or version <= (standing or 0):
            return False
        if self.current is not None:
            self.past.insert(0, self.current)
        self.current = (version, sha)
        return True

    async def choose(self, *_: object) -> bool:
        raise NotImplementedError("an operator's, not a trainer's")

    go_back = choose


@dataclass
class Producer:
    """`sent`: each announcement with its key and what the pointer said when it was sent."""

    pointer: Pointer
    sent: list[tuple[str, bytes, ModelAnnouncement, tuple[int, str] | None]] = field(
        default_factory=list
    )

    async def send_and_wait(self, topic: str, value: bytes, key: bytes) -> object:
        told = msgspec.json.decode(value, type=ModelAnnouncement)
        self.sent.append((topic, key, told, self.pointer.current))
        return None


def outlet_in(
    root: Path,
    name: tuple[str, str],
    pointer: PointerHistory,
    producer: announce.Producer,
    keep: int = 10,
) -> Outlet:
    """Announces on t.reco.models.v1."""
    registry, key = Registry(root / "models"), Ed25519PrivateKey.generate()
    return Outlet(name, registry, key, pointer, producer, "t.reco.models.v1", keep)
