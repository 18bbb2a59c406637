"""All devices that TensorFlow shows train together: each has a copy of the network and takes its
share of every batch, and gradients are summed, so that a step is what it would be on one.

A fit is the same code on one device and on several: it computes under the strategy in whose scope
it is called. Several machines are not meant: Keras' own `fit` fails there (keras #20585)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf


def all_devices() -> tf.distribute.Strategy:
    """The GPUs, or the CPUs where there are none. Alone a device is computed on as ever."""
    shown = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(shown) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in shown])


def summed(step: Callable[..., Any], *batch: Any) -> Any:
    """`step(*batch)` on every device, and the sums of what they answered (scalars, in the same
    nesting). Each is given the whole batch and takes its `share`."""
    strategy = tf.distribute.get_strategy()
    total = partial(strategy.reduce, tf.distribute.ReduceOp.SUM, axis=None)
    return tf.nest.map_structure(total, strategy.run(step, batch))


def share(rows: Any) -> tuple[Any, Any]:
    """Within a step: of a batch of `rows` the first that is this device's, and the first after
    them. Every row is one device's; with more devices than rows some have none."""
    device = tf.distribute.get_replica_context()
    devices = device.num_replicas_in_sync
    place = tf.cast(device.replica_id_in_sync_group, rows.dtype)
    return rows * place // devices, rows * (place + 1) // devices


def over_devices(gradient: Any) -> Any:
    """Within a step: the sum of all devices' gradients. Keras' optimisers do that by themselves."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradient)
