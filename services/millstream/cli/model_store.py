"""A version of the model store for those who typed its number."""

from __future__ import annotations

from millstream.domain.errors import OperatorError
from millstream.model.artifact import Identity
from millstream.model.manifest import ArtifactRefused, Manifest
from millstream.model.registry import LoadedModel, Registry
from millstream.model.signing import load_public_key
from millstream.settings import ConnectionSettings


def shown(settings: ConnectionSettings, wanted: Identity) -> Manifest:
    """Raises OperatorError unless the manifest is signed and the one that is wanted."""
    try:
        return Registry(settings.model_store).show(load_public_key(settings.keys_dir), wanted)
    except ArtifactRefused as refused:
        raise _unusable(wanted, refused) from None


def loaded(settings: ConnectionSettings, wanted: Identity) -> LoadedModel:
    """Raises OperatorError unless a worker would load it."""
    try:
        return Registry(settings.model_store).load(load_public_key(settings.keys_dir), wanted)
    except ArtifactRefused as refused:
        raise _unusable(wanted, refused) from None


def _unusable(wanted: Identity, refused: ArtifactRefused) -> OperatorError:
    return OperatorError(
        f"version {wanted.version} of {wanted.tenant}/{wanted.model}",
        refused.reason,
        "a version that `millstream models list` names and that verifies",
    )
