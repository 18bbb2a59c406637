"""The recommender of the user's document, kept as the baseline; the only TensorFlow here.

user Embedding, item Embedding -> Dot -> Flatten -> Dense(1, sigmoid); Adam, binary
cross-entropy, accuracy at 0.5."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from millstream.model.embeddings import FloatArray

ACCURACY_THRESHOLD = 0.5


class NetworkWeights(NamedTuple):
    """(n_users, d), (n_items, d), and the Dense layer's two numbers."""

    user_vectors: FloatArray
    item_vectors: FloatArray
    dense_weight: float
    dense_bias: float


def build_network(
    users: int, items: int, dimensions: int, learning_rate: float, seed: int
) -> keras.Model:
    """Inputs user and item, each (batch, 1) int32 rows; output (batch, 1) probability.

    The same seed gives the same first weights. Compiled as the document has it."""
    user = keras.Input((1,), dtype="int32", name="user")
    item = keras.Input((1,), dtype="int32", name="item")
    dot = keras.layers.Dot(axes=2, name="dot")(
        [
            _embedding("user_embedding", users, dimensions, seed)(user),
            _embedding("item_embedding", items, dimensions, seed + 1)(item),
        ]
    )
    # The kernel starts at one: a random start can be negative, and then users and the items they
    # like first have to find their way to opposite sides.
    probability = keras.layers.Dense(
        1, activation="sigmoid", kernel_initializer="ones", name="probability"
    )(keras.layers.Flatten(name="flatten")(dot))
    model = keras.Model([user, item], probability, name="embedding_dot")
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.BinaryAccuracy(threshold=ACCURACY_THRESHOLD, name="accuracy")],
        jit_compile=False,  # XLA takes longer to compile than these trainings take in all
    )
    return model


def _embedding(name: str, rows: int, dimensions: int, seed: int) -> Any:
    start = keras.initializers.RandomNormal(stddev=0.05, seed=seed)
    return keras.layers.Embedding(rows, dimensions, embeddings_initializer=start, name=name)


def network_weights(model: keras.Model) -> NetworkWeights:
    """Copies, float32, of what serving needs."""
    kernel, bias = model.get_layer("probability").get_weights()
    return NetworkWeights(
        user_vectors=_table(model, "user_embedding"),
        item_vectors=_table(model, "item_embedding"),
        dense_weight=float(kernel[0, 0]),
        dense_bias=float(bias[0]),
    )


def set_network_weights(model: keras.Model, weights: NetworkWeights) -> None:
    model.get_layer("user_embedding").set_weights([weights.user_vectors])
    model.get_layer("item_embedding").set_weights([weights.item_vectors])
    kernel = np.array([[weights.dense_weight]], dtype=np.float32)
    model.get_layer("probability").set_weights([kernel, np.array([weights.dense_bias])])


def _table(model: keras.Model, layer: str) -> FloatArray:
    return np.ascontiguousarray(model.get_layer(layer).get_weights()[0], dtype=np.float32)
