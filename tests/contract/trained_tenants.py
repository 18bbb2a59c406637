"""Of each tenant of shared_worker.py a signed version of the model, and the store they share."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.contract.shared_worker import SHOPPERS, STOCK
from tests.unit.model.conftest import RULE, described
from tests.unit.recommender.conftest import MemoryPointer

from millstream.local.valkey import Valkey
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings
from millstream.model.manifest import Manifest
from millstream.model.registry import Registry
from millstream.model.vocabulary import Vocabulary
from millstream.recommender.hot_swap import HotSwap
from millstream.stores.redis import connect, load_functions

TENANTS = tuple(STOCK)


@dataclass(frozen=True)
class Trained:
    """A version of the model of each tenant, on its own stock and by another number."""

    key: Ed25519PrivateKey
    registry: Registry
    versions: dict[str, tuple[Manifest, str]]

    async def serving(self, tenants: Collection[str]) -> HotSwap:
        """The versions of these alone were promoted."""
        pointer = MemoryPointer()
        for tenant in tenants:
            manifest, sha = self.versions[tenant]
            pointer.current[tenant, "embedding"] = manifest.version, sha
        models = HotSwap("embedding", self.registry, pointer, self.key.public_key())
        await models.refresh(TENANTS)
        return models


def a_model(tenant: str, seed: int) -> Embeddings:
    rng = np.random.default_rng(seed)

    def vectors(rows: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return rng.normal(size=(rows, 4)).astype(np.float32)

    items = STOCK[tenant]
    return Embeddings(
        users=Vocabulary(SHOPPERS),
        items=Vocabulary(items),
        user_vectors=vectors(len(SHOPPERS)),
        item_vectors=vectors(len(items)),
        recent_to_user=vectors(5),
        dense_weight=1.5,
        dense_bias=-0.5,
        rule=RULE,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    key = Ed25519PrivateKey.generate()
    registry = Registry(tmp_path_factory.mktemp("models"))
    versions = {}
    for seed, tenant in enumerate(TENANTS, 1):

        def describe(
            version: int, files: Files, tenant: str = tenant, seed: int = seed
        ) -> Manifest:
            made = described(version, files)
            window = msgspec.structs.replace(made.window, lines=100 * seed)
            created = datetime(2026, 1, seed, tzinfo=UTC)
            return msgspec.structs.replace(made, tenant=tenant, window=window, created_at=created)

        for _ in range(seed):
            versions[tenant] = registry.register(a_model(tenant, seed), describe, key)
    return Trained(key, registry, versions)


@pytest.fixture(scope="module")
def url(valkey: Valkey) -> str:
    async def loaded() -> None:
        async with connect(valkey.url) as redis:
            await load_functions(redis)

    asyncio.run(loaded())
    return valkey.url
