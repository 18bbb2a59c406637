"""A trainer without training: one made-up version after the other, registered, promoted, announced
with the system's own registry and pointer; a process of its own, so that it can be killed."""

from __future__ import annotations

import asyncio
import random
import sys

from millstream.domain.failpoints import failpoint
from millstream.local.chaos.made_up_model import MODEL, TENANT, announce, made_up
from millstream.model.registry import Registry
from millstream.model.signing import load_private_key
from millstream.settings import ConnectionSettings, load
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected


async def main(seed: int, versions: int) -> None:
    """Of two at once, the one whose pointer has moved meanwhile announces nothing."""
    settings = load(ConnectionSettings)
    registry, rng = Registry(settings.model_store), random.Random(seed)  # noqa: S311  not a secret
    key = load_private_key(settings.keys_dir)
    redis = await connected(settings.redis_url)  # it is closed with the process
    pointer = RedisModelPointer(redis, Keys(settings.redis_prefix))
    for _ in range(versions):
        current = await pointer.read(TENANT, MODEL)
        above = 0 if current is None else current[0]
        manifest, sha = registry.register(*made_up(rng.randrange(2**32)), key, above)
        moved = await pointer.promote(TENANT, MODEL, manifest.version, sha, above or None)
        if moved:
            failpoint("before-announce")
            await announce(settings, manifest, sha)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
