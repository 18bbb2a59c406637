"""A trainer's writing, killed at each sync, rename and move of the pointer in turn.

Run as a program: for n from 1 on, a forked child registers a version, promotes it and removes old
ones, and dies at the n-th failpoint; what it left is told as one JSON line. Ends with the first
child that lives."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

import msgspec
from redis.asyncio import Redis
from tests.flow.swapping import MODEL, TENANT, describe, parts_of

from millstream.domain import failpoints
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import Registry
from millstream.model.signed_files import Identity
from millstream.model.signing import load_private_key
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer


class Left(msgspec.Struct, frozen=True):
    """After the n-th death and a new trainer's start: versions that load, those that do not, what
    was half written, and the number that the pointer names."""

    n: int
    died: bool
    good: list[int]
    bad: list[int]
    partial: int
    current: int | None


def write_a_version(store: Path, keys: Path, url: str, prefix: str) -> None:
    registry, key = Registry(store), load_private_key(keys)
    number = max([0, *registry.versions(TENANT, MODEL)]) + 1
    manifest, sha = registry.register(parts_of(number), describe, key)

    async def move() -> set[int]:
        redis = Redis.from_url(url)
        pointer = RedisModelPointer(redis, Keys(prefix))
        current = await pointer.read(TENANT, MODEL)
        await pointer.promote(TENANT, MODEL, manifest.version, sha, current and current[0])
        served = {version for version, _ in (await pointer.before(TENANT, MODEL))[:1]}
        await redis.aclose()
        return served | {manifest.version}

    registry.retain(TENANT, MODEL, 2, asyncio.run(move()))


def left_over(n: int, died: bool, store: Path, keys: Path, current: int | None) -> Left:
    registry, key = Registry(store), load_private_key(keys).public_key()
    partial = registry.remove_partial(TENANT, MODEL)
    good, bad = [], []
    for version in registry.versions(TENANT, MODEL):
        try:
            registry.load(key, Identity(TENANT, MODEL, version))
            good.append(version)
        except ArtifactRefused:
            bad.append(version)
    return Left(n, died, good, bad, partial, current)


def main(store: Path, keys: Path, url: str, prefix: str) -> None:
    async def pointed() -> int | None:
        redis = Redis.from_url(url)
        current = await RedisModelPointer(redis, Keys(prefix)).read(TENANT, MODEL)
        await redis.aclose()
        return None if current is None else current[0]

    for n in count(1):
        child = os.fork()
        if child == 0:
            failpoints._POINT, failpoints._left = "model-life", n
            write_a_version(store, keys, url, prefix)
            os._exit(0)
        died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        left = left_over(n, died, store, keys, asyncio.run(pointed()))
        sys.stdout.write(msgspec.json.encode(left).decode() + "\n")
        if not died:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
