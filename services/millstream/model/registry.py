"""The versions of every tenant's models: model_store/<tenant>/<model>/v000001/.

Which of them is the current one stands elsewhere (`CurrentPointer`): a pointer file could not be
moved by compare-and-set."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from millstream.domain.errors import OperatorError
from millstream.model.artifact import Files, read_artifact, write_data
from millstream.model.embeddings import Embeddings
from millstream.model.golden import check_golden
from millstream.model.manifest import ArtifactRefused, Manifest, ManifestHead
from millstream.model.partial import new_partial, publish, remove_left, withdraw
from millstream.model.scorer import Scorer
from millstream.model.sentiment.artifact import (
    ReviewArrays,
    ReviewFiles,
    kind_of,
    named_arrays,
    read_review_model,
    sentiment_of,
    write_review_model,
)
from millstream.model.sentiment.golden import check_golden as check_golden_reviews
from millstream.model.sentiment.manifest import AnyManifest, ReviewManifest, decode_any
from millstream.model.sentiment.sentiment import Sentiment
from millstream.model.signed_files import Identity, manifest_digest, read_signed, write_manifest

_VERSION_NAME = re.compile(r"v(\d{6,})")
_ATTEMPTS = 10
_SPARE_FACTOR = 2

F = TypeVar("F")
M = TypeVar("M", bound=ManifestHead)


class CurrentPointer(Protocol):
    """Which version is served; compare-and-set, so that of two trainers the stale one loses."""

    async def read(self, tenant: str, model: str, /) -> tuple[int, str] | None:
        """(version, sha256 of its manifest), None before the first promotion."""
        ...

    async def promote(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None, /
    ) -> bool:
        """What a trainer does. False, and nothing changed, unless `expected_version` is the current
        one (None: there is none) and `version` is greater."""
        ...


class PointerHistory(CurrentPointer, Protocol):
    """Also which versions were served before, and what an operator may do."""

    async def choose(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None, /
    ) -> bool:
        """What an operator does: as `promote`, to any version."""
        ...

    async def before(self, tenant: str, model: str, /) -> tuple[tuple[int, str], ...]:
        """The versions that were served until others took their places, newest first; bounded."""
        ...

    async def go_back(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int, /
    ) -> bool:
        """To one of those before; it and what came after it are no longer among them, so that going
        back again does not bring the bad one. False, and nothing changed, unless
        `expected_version` is the current one and the other one stands among those before."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """Ready to serve: verified, checked and memory-mapped."""

    manifest: Manifest
    scorer: Scorer


@dataclass(frozen=True, slots=True)
class LoadedReviews:
    """Ready to judge: verified, checked and memory-mapped."""

    manifest: ReviewManifest
    sentiment: Sentiment


@dataclass(frozen=True, slots=True)
class _Draft(Generic[F, M]):
    """A version to be: `write` puts its data files, some `size` bytes, into a directory, and
    `describe` makes the manifest of its number and of what `write` gave; `empty` stands for that
    before anything is written."""

    write: Callable[[Path], F]
    describe: Callable[[int, F], M]
    empty: F
    size: int


@dataclass(frozen=True, slots=True)
class Registry:
    store: Path

    def directory(self, tenant: str, model: str, version: int) -> Path:
        return self.store / tenant / model / f"v{version:06d}"

    def versions(self, tenant: str, model: str) -> list[int]:
        """Ascending; whether they verify is not looked at."""
        home = self.store / tenant / model
        if not home.is_dir():
            return []
        names = (_VERSION_NAME.fullmatch(path.name) for path in home.iterdir())
        return sorted(int(match[1]) for match in names if match)

    def models(self) -> list[tuple[str, str]]:
        """(tenant, model) pairs that have a directory."""
        homes = self.store.glob("*/*")
        return sorted((home.parent.name, home.name) for home in homes if home.is_dir())

    def register(
        self,
        parts: Embeddings,
        describe: Callable[[int, Files], Manifest],
        key: Ed25519PrivateKey,
        above: int = 0,
    ) -> tuple[Manifest, str]:
        """Writes the next version, numbered above `above` and all that stand here; returns its
        manifest, which `describe(version, files)` makes, and the manifest's sha256.

        Seen by others whole or not at all. Blocks on the disk. Raises OperatorError where there
        is no room or no right to write."""
        size = parts.user_vectors.nbytes + parts.item_vectors.nbytes
        write = partial(write_data, parts=parts)
        return self._registered(_Draft(write, describe, Files({}, {}), size), key, above)

    def register_reviews(
        self,
        arrays: ReviewArrays,
        describe: Callable[[int, ReviewFiles], ReviewManifest],
        key: Ed25519PrivateKey,
        above: int = 0,
    ) -> tuple[ReviewManifest, str]:
        """As `register`, of a review model."""
        size = sum(values.nbytes for values in named_arrays(arrays).values())
        write = partial(write_review_model, arrays=arrays)
        empty = ReviewFiles({}, {}, kind_of(arrays))
        return self._registered(_Draft(write, describe, empty, size), key, above)

    def _registered(self, draft: _Draft[F, M], key: Ed25519PrivateKey, above: int) -> tuple[M, str]:
        probe = draft.describe(above + 1, draft.empty)
        home = self.store / probe.tenant / probe.model
        try:
            home.mkdir(parents=True, exist_ok=True)
            _require_space(home, draft.size)
            return self._write(home, draft, key, above)
        except OSError as error:
            raise OperatorError(
                "the model store", f"{home}: {error.strerror}", "a directory we can write to"
            ) from error

    def _write(
        self, home: Path, draft: _Draft[F, M], key: Ed25519PrivateKey, above: int
    ) -> tuple[M, str]:
        with new_partial(home) as beside:
            files = draft.write(beside)
            for _ in range(_ATTEMPTS):
                version = max([above, *self.versions(home.parent.name, home.name)]) + 1
                manifest = draft.describe(version, files)
                sha = write_manifest(beside, manifest, key)
                if publish(beside, home / f"v{version:06d}"):
                    return manifest, sha
        raise OperatorError(
            f"model versions of {home.parent.name}/{home.name}",
            f"{_ATTEMPTS} numbers taken by others while we wrote",
            "one trainer per model",
        )

    def remove_partial(self, tenant: str, model: str) -> int:
        """Removes what a trainer that died left half written, or half removed; returns how much of
        it there was. What another trainer is writing right now stays."""
        return remove_left(self.store / tenant / model)

    def retain(self, tenant: str, model: str, newest: int, served: Collection[int]) -> list[int]:
        """Removes all versions but the `newest` ones (at least two, since another trainer may be
        about to promote its own) and `served`; returns what it removed, ascending. Each vanishes
        at once; who has mapped its files keeps them. Blocks on the disk."""
        versions = self.versions(tenant, model)
        kept = {*versions[-max(2, newest) :], *served}
        removed = [version for version in versions if version not in kept]
        for version in removed:
            withdraw(self.directory(tenant, model, version))
        return removed

    def digest(self, wanted: Identity) -> str:
        """sha256 of the manifest as it stands there. Raises ArtifactRefused where there is none."""
        return manifest_digest(self._directory(wanted))

    def show(self, key: Ed25519PublicKey, wanted: Identity) -> AnyManifest:
        """Raises ArtifactRefused unless it is signed and the one that is wanted."""
        return read_signed(self._directory(wanted), key, wanted, decode_any)

    def newest(self, key: Ed25519PublicKey, tenant: str, model: str) -> ManifestHead | None:
        """Of the newest version whose manifest is not refused, promoted or not."""
        return next(self.newest_first(key, tenant, model), None)

    def newest_first(
        self, key: Ed25519PublicKey, tenant: str, model: str
    ) -> Iterator[ManifestHead]:
        """Of all versions whose manifests are not refused, promoted or not."""
        for version in reversed(self.versions(tenant, model)):
            with suppress(ArtifactRefused):
                yield self.show(key, Identity(tenant, model, version))

    def load(self, key: Ed25519PublicKey, wanted: Identity) -> LoadedModel:
        """Raises ArtifactRefused unless every check passes. Blocks on the disk: call it beside
        the model that serves, not in its place."""
        manifest, parts = read_artifact(self._directory(wanted), key, wanted)
        scorer = Scorer(parts)
        check_golden(scorer)
        return LoadedModel(manifest, scorer)

    def load_reviews(self, key: Ed25519PublicKey, wanted: Identity) -> LoadedReviews:
        """As `load`, of a review model."""
        manifest, arrays = read_review_model(self._directory(wanted), key, wanted)
        sentiment = sentiment_of(arrays)
        check_golden_reviews(sentiment, arrays.words)
        return LoadedReviews(manifest, sentiment)

    def verify(self, key: Ed25519PublicKey, wanted: Identity) -> ManifestHead:
        """Raises ArtifactRefused unless whoever serves this kind of model would load it. Blocks."""
        if isinstance(self.show(key, wanted), ReviewManifest):
            return self.load_reviews(key, wanted).manifest
        return self.load(key, wanted).manifest

    def _directory(self, wanted: Identity) -> Path:
        return self.directory(wanted.tenant, wanted.model, wanted.version)


def _require_space(home: Path, size: int) -> None:
    needed = _SPARE_FACTOR * size
    free = shutil.disk_usage(home).free
    if free < needed:
        raise OperatorError(
            "room in the model store", f"{free} bytes free", f"at least {needed} bytes"
        )
