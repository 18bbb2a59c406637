"""A version of the model store for those who typed its number."""

from __future__ import annotations

from millstream.domain.errors import OperatorError
from millstream.model.manifest import ArtifactRefused, Manifest, ManifestHead
from millstream.model.registry import LoadedModel, Registry
from millstream.model.sentiment.manifest import AnyManifest
from millstream.model.signed_files import Identity
from millstream.model.signing import load_public_key
from millstream.settings import ConnectionSettings


def shown_any(settings: ConnectionSettings, wanted: Identity) -> AnyManifest:
    """Whichever kind of model it is. Raises OperatorError unless the manifest is signed and the one
    that is wanted."""
    try:
        return Registry(settings.model_store).show(load_public_key(settings.keys_dir), wanted)
    except ArtifactRefused as refused:
        raise _unusable(wanted, refused) from None


def shown(settings: ConnectionSettings, wanted: Identity) -> Manifest:
    """As `shown_any`, of embeddings; raises OperatorError where it is another kind."""
    manifest = shown_any(settings, wanted)
    if not isinstance(manifest, Manifest):
        raise OperatorError(
            _named(wanted),
            "a model of reviews",
            "a version of embeddings, which has shoppers and items",
            "`millstream models show` tells of every kind",
        )
    return manifest


def loaded(settings: ConnectionSettings, wanted: Identity) -> LoadedModel:
    """Of embeddings. Raises OperatorError unless a worker would load it."""
    shown(settings, wanted)
    try:
        return Registry(settings.model_store).load(load_public_key(settings.keys_dir), wanted)
    except ArtifactRefused as refused:
        raise _unusable(wanted, refused) from None


def verified(settings: ConnectionSettings, wanted: Identity) -> ManifestHead:
    """Whichever kind of model it is. Raises OperatorError unless who serves it would load it."""
    try:
        return Registry(settings.model_store).verify(load_public_key(settings.keys_dir), wanted)
    except ArtifactRefused as refused:
        raise _unusable(wanted, refused) from None


def _unusable(wanted: Identity, refused: ArtifactRefused) -> OperatorError:
    return OperatorError(
        _named(wanted),
        refused.reason,
        "a version that `millstream models list` names and that verifies",
    )


def _named(wanted: Identity) -> str:
    return f"version {wanted.version} of {wanted.tenant}/{wanted.model}"
