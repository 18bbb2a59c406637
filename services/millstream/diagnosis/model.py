"""The signing key, and the model that recommenders would serve now."""

from __future__ import annotations

import asyncio
from pathlib import Path

from millstream.diagnosis.check import Check, Verdict, examined, not_examined
from millstream.domain.errors import OperatorError
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, Registry
from millstream.model.signed_files import Identity
from millstream.model.signing import PRIVATE_NAME, load_private_key, load_public_key

KEY, MODEL = "signing key", "current model"


async def model_checks(
    keys_dir: Path, store: Path, pointer: CurrentPointer | None, tenant: str, model: str
) -> list[Check]:
    """`pointer` None: Redis is away."""
    key = await examined(KEY, _key(keys_dir))
    if pointer is None:
        return [key, not_examined(MODEL, "Redis does not answer")]
    if key.verdict is Verdict.BAD:
        return [key, not_examined(MODEL, "there is no signing key to verify it by")]
    return [key, await examined(MODEL, _model(keys_dir, store, pointer, tenant, model))]


async def _key(keys_dir: Path) -> Check:
    """A machine that only serves has the public key alone."""
    public = load_public_key(keys_dir)
    if not (keys_dir / PRIVATE_NAME).exists():
        return Check(KEY, Verdict.OK, "the public key can be read; no private key here")
    if load_private_key(keys_dir).public_key() != public:
        raise OperatorError(
            "the signing key",
            "a private and a public key of different pairs",
            "one pair",
            "Copy both from the machine on which `millstream init` made them",
        )
    return Check(KEY, Verdict.OK, "both keys can be read")


async def _model(
    keys_dir: Path, store: Path, pointer: CurrentPointer, tenant: str, model: str
) -> Check:
    current = await pointer.read(tenant, model)
    if current is None:
        return Check(
            MODEL,
            Verdict.WARNING,
            f"none of {tenant}/{model}: lists come from co-visitation and popularity",
            "Run `millstream trainer` with a lake that has events",
        )
    version, sha = current
    wanted = Identity(tenant, model, version, sha)
    try:
        await asyncio.to_thread(Registry(store).load, load_public_key(keys_dir), wanted)
    except ArtifactRefused as refused:
        return Check(
            MODEL,
            Verdict.BAD,
            f"{tenant}/{model} v{version} is refused: {refused}",
            "Let MODEL_STORE be the trainer's, or promote a version that loads",
        )
    return Check(MODEL, Verdict.OK, f"{tenant}/{model} v{version} verifies and loads")
