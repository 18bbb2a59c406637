"""Both networks fitted on one logical device and on both of two, as the trainer does it.

Run as a program, with a folder for the versions: the devices of a process are fixed once TensorFlow
has computed anything. Ends with one JSON line, a Compared by network."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import tensorflow as tf
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.models import Network, SessionInput
from millstream.model.embeddings import ServingRule
from millstream.model.manifest import DataWindow, Occasion, Quality
from millstream.model.registry import Registry
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity
from millstream.trainer import train_sessions
from millstream.trainer.devices import all_devices
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.fitting import Fit, Fitted, assemble
from millstream.trainer.register import Beginning, describer
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.train import fit_network
from millstream.trainer.train_sessions import fit_sessions
from millstream.trainer.trigger import Why
from millstream.trainer.wiring import tensorflow

_RULE = ServingRule(recent_items=24, recent_half_life=10.0, recent_share=0.7)
_SETTINGS = TrainerSettings.model_construct(
    dimensions=8,
    batch_size=255,
    epochs=12,
    learning_rate=0.02,
    session_epochs=30,
    session_inputs=(SessionInput.GAP,),
)
_ALONE: dict[Network, Fit] = {Network.DOT_PRODUCT: fit_network, Network.SESSIONS: fit_sessions}


class Compared(msgspec.Struct, frozen=True):
    """The loss of each epoch and the item vectors, on one device and on two; and of the lists that
    the version of two serves the share inside the shopper's taste."""

    one_losses: tuple[float, ...]
    two_losses: tuple[float, ...]
    one_items: list[list[float]]
    two_items: list[list[float]]
    in_taste: float


def two_tastes() -> Interactions:
    """61 shoppers: even ones touch 10 of 20 teas, odd ones 10 of 20 tools."""
    rng = np.random.default_rng(2)
    rows = [
        (f"s{shopper}", f"{('tea', 'tool')[shopper % 2]}-{thing}", 1.0)
        for shopper in range(61)
        for thing in rng.choice(20, size=10, replace=False)
    ]
    lines = pl.DataFrame(rows, ["user", "item", "weight"], orient="row")
    return encode(lines.with_columns(pl.col("weight").cast(pl.Float32)), 24)


def registered(data: Interactions, fitted: Fitted, store: Path) -> Scorer:
    """A version on disk as it is taken from there: signed, its files and its answers checked."""
    window, quality = DataWindow(0, 1, {0: 1}, 610, 610, 610), Quality({}, "of a test", True)
    began = Beginning(1_770_000_000_000, Occasion(Why.LINES, {}))
    describe = describer(_SETTINGS, window, _RULE, quality, began)
    registry, key = Registry(store), Ed25519PrivateKey.generate()
    parts = assemble(data, fitted, _RULE, ridge=0.1)
    manifest, sha = registry.register(parts, describe, key)
    name = Identity(manifest.tenant, manifest.model, manifest.version, sha)
    return registry.load(key.public_key(), name).scorer


def in_taste(data: Interactions, scorer: Scorer) -> float:
    rows, _ = scorer.nearest(scorer.user_vectors([(user, []) for user in data.users.ids])[0], 10)
    tastes = [("tea", "tool")[int(user[1:]) % 2] for user in data.users.ids]
    hits = [
        scorer.items[row].startswith(taste)
        for taste, line in zip(tastes, rows, strict=True)
        for row in line
    ]
    return float(np.mean(hits))


def compared(network: Network, data: Interactions, both: Fit, store: Path) -> Compared:
    rule = _SETTINGS.training(network)
    one = _ALONE[network](data, rule, lambda _: False, None)
    two = both(data, rule, lambda _: False, None)
    served = registered(data, two, store / network)
    return Compared(
        one.losses,
        two.losses,
        one.item_vectors.tolist(),
        two.item_vectors.tolist(),
        in_taste(data, served),
    )


def main(store: Path) -> None:
    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    both, data = tensorflow(1), two_tastes()
    train_sessions._DROPOUT = 0.0  # what is dropped is drawn anew on each device
    assert all_devices().num_replicas_in_sync == 2
    found = {network: compared(network, data, both, store) for network in Network}
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
