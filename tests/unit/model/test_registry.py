"""Versions count up, appear whole or not at all, and load only as the one that is meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.errors import OperatorError
from millstream.model import registry as registry_module
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.manifest import ArtifactRefused, Manifest
from millstream.model.registry import Registry
from millstream.model.signed_files import Identity

Describe = Callable[[int, Files], Manifest]


def test_versions_count_up_and_load(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    first, _ = registry.register(parts, describe, key)
    second, sha = registry.register(parts, describe, key)
    assert (first.version, second.version) == (1, 2)
    assert registry.versions("default", "embedding") == [1, 2]
    assert registry.models() == [("default", "embedding")]
    wanted = Identity("default", "embedding", 2, sha)
    assert registry.load(key.public_key(), wanted).manifest == second
    assert registry.show(key.public_key(), wanted) == second


def test_a_number_once_promoted_is_not_used_again(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    manifest, _ = registry.register(parts, describe, key, above=7)
    assert manifest.version == 8


def test_a_number_taken_by_another_trainer_is_left_alone(
    registry: Registry,
    parts: Embeddings,
    describe: Describe,
    key: Ed25519PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry.register(parts, describe, key)
    held = registry.directory("default", "embedding", 1)
    before = (held / "manifest.json").read_bytes()
    seen = iter([[], [], [1]])
    monkeypatch.setattr(Registry, "versions", lambda *_: next(seen))
    manifest, _ = registry.register(parts, describe, key)
    assert manifest.version == 2
    assert (held / "manifest.json").read_bytes() == before


def test_nothing_is_seen_of_a_version_that_could_not_be_finished(
    registry: Registry,
    parts: Embeddings,
    describe: Describe,
    key: Ed25519PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry_module, "write_manifest", full)
    with pytest.raises(OperatorError, match="No space left"):
        registry.register(parts, describe, key)
    assert list((registry.store / "default" / "embedding").iterdir()) == []


def test_too_little_room_is_said_before_anything_is_written(
    registry: Registry,
    parts: Embeddings,
    describe: Describe,
    key: Ed25519PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        free = 10

    monkeypatch.setattr("shutil.disk_usage", lambda _: Full)
    with pytest.raises(OperatorError, match="10 bytes free"):
        registry.register(parts, describe, key)
    assert registry.versions("default", "embedding") == []


def test_what_a_dead_trainer_left_is_removed_and_versions_stay(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    registry.register(parts, describe, key)
    left = registry.store / "default" / "embedding" / ".partial-abc"
    left.mkdir()
    (left / "user_vectors.npy").write_bytes(b"half")
    assert registry.remove_partial("default", "embedding") == 1
    assert not left.exists()
    assert registry.versions("default", "embedding") == [1]


def test_what_another_trainer_is_writing_stays(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    def meanwhile(version: int, files: Files) -> Manifest:
        if files.arrays:
            removed.append(registry.remove_partial("default", "embedding"))
        return describe(version, files)

    removed: list[int] = []
    manifest, sha = registry.register(parts, meanwhile, key)
    assert removed == [0]
    wanted = Identity("default", "embedding", manifest.version, sha)
    assert registry.load(key.public_key(), wanted).manifest == manifest


def test_old_versions_are_removed_and_those_in_service_stay(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    for _ in range(6):
        registry.register(parts, describe, key)
    mapped = registry.load(key.public_key(), Identity("default", "embedding", 3))
    assert registry.retain("default", "embedding", 2, {1, 2}) == [3, 4]
    assert registry.versions("default", "embedding") == [1, 2, 5, 6]
    assert registry.retain("default", "embedding", 0, set()) == [1, 2], "a trainer's own one went"
    home = registry.store / "default" / "embedding"
    assert {path.name for path in home.iterdir()} == {"v000005", "v000006"}
    vectors, _ = mapped.scorer.user_vectors([("ann", [])])
    assert np.array_equal(vectors[0], parts.user_vectors[0]), "who mapped the files lost them"


def test_a_version_is_named_by_its_manifest(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    _, sha = registry.register(parts, describe, key)
    assert registry.digest(Identity("default", "embedding", 1)) == sha
    with pytest.raises(ArtifactRefused, match="cannot be read"):
        registry.digest(Identity("default", "embedding", 2))


def test_a_store_that_does_not_exist_has_no_versions(registry: Registry) -> None:
    assert registry.versions("default", "embedding") == []
    assert registry.models() == []
    assert registry.remove_partial("default", "embedding") == 0


def test_golden_input_refuses_what_verifies_but_cannot_answer(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    huge = replace(parts, user_vectors=np.full((3, 4), 3e38, dtype=np.float32))
    manifest, sha = registry.register(huge, describe, key)
    wanted = Identity("default", "embedding", manifest.version, sha)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ArtifactRefused, match="golden input"),
    ):
        registry.load(key.public_key(), wanted)


@pytest.mark.parametrize("rule", [ServingRule(0, 10.0, 0.5), ServingRule(24, 0.0, 0.5)])
def test_a_serving_rule_without_sense_is_refused(
    registry: Registry,
    parts: Embeddings,
    describe: Describe,
    key: Ed25519PrivateKey,
    rule: ServingRule,
) -> None:
    def with_rule(version: int, files: Files) -> Manifest:
        return msgspec.structs.replace(describe(version, files), rule=rule)

    manifest, sha = registry.register(parts, with_rule, key)
    with pytest.raises(ArtifactRefused):
        registry.load(key.public_key(), Identity("default", "embedding", manifest.version, sha))


def test_a_path_in_place_of_a_tenant_leads_nowhere(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    registry.register(parts, describe, key)
    with pytest.raises(ArtifactRefused):
        registry.load(key.public_key(), Identity("../models/default", "embedding", 1))


def test_an_unwritable_store_is_an_operators_matter(
    tmp_path: Path, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OperatorError, match="the model store"):
        Registry(tmp_path / "file").register(parts, describe, key)
